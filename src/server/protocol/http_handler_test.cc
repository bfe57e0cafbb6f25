#include "src/server/protocol/http_handler.h"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "src/base/float16.h"
#include "src/server/fake_session.h"
#include "src/server/protocol/infer_request.h"

namespace tamis {
namespace {

namespace fs = std::filesystem;
using testing::FakeSession;

// Names of files decide what loading them gives: "broken" fails, the others are fakes.
class HandlerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "repository_XXXXXX";
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
    for (const char* version :
         {"good/1", "good/2", "good/10", "good/latest", "broken/1", "half/1", "typed/1", "text/1", "lists/1"}) {
      fs::create_directories(root_ + "/" + version);
      std::ofstream(root_ + "/" + version + "/model.tamis") << version;
    }
    fs::create_directories(root_ + "/empty/1");
    auto opened = Repository::Open(root_, [this](const std::string& path) { return Load(path); });
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    repository_ = std::move(*opened);
    options_.max_body_bytes = 1 << 20;
    handler_ = std::make_unique<HttpHandler>(repository_.get(), &metrics_, options_);
  }
  void TearDown() override { fs::remove_all(root_); }

  Result<std::shared_ptr<Session>> Load(const std::string& path) {
    if (path.find("broken") != std::string::npos) return UserError("'{}' is damaged", path);
    std::vector<TensorSpec> specs = {{"h", DType::kFloat16, {2}, {""}}};
    if (path.find("typed") != std::string::npos) {
      specs = {{"f64", DType::kFloat64, {-1}, {"n"}},
               {"u8", DType::kUInt8, {-1}, {"n"}},
               {"i64", DType::kInt64, {-1}, {"n"}},
               {"u64", DType::kUInt64, {-1}, {"n"}},
               {"flag", DType::kBool, {-1}, {"n"}}};
    }
    if (path.find("text") != std::string::npos) specs = {{"t", DType::kString, {-1, 2}, {"n", ""}}};
    if (path.find("lists") != std::string::npos) {
      specs = {{"l", DType::kFloat32, {-1}, {"n"}}};
      specs[0].sequence = true;
      specs[0].type = "seq(tensor(float))";
    }
    const bool good = path.find("good") != std::string::npos;
    return std::shared_ptr<Session>(good ? testing::MakeFakeSession() : std::make_shared<FakeSession>(specs));
  }

  // Of the version of "good" that is served by default.
  FakeSession& GoodSession() { return static_cast<FakeSession&>(*repository_->Find("good", "")->session); }
  HttpResponse Get(const std::string& target) { return handler_->Handle({"GET", target, {}, ""}); }
  HttpResponse Post(const std::string& target, const std::string& body, HttpHeaders headers = {}) {
    headers.emplace_back("content-length", std::to_string(body.size()));
    return handler_->Handle({"POST", target, std::move(headers), body});
  }
  HttpResponse Infer(const std::string& body, HttpHeaders headers = {}) {
    return Post("/v2/models/good/infer", body, std::move(headers));
  }
  // Expects an error of that code whose message has `part`.
  void ExpectError(const HttpResponse& response, int code, const std::string& part) {
    EXPECT_EQ(response.status, code) << response.body;
    simdjson::dom::parser parser;
    std::string_view message;
    ASSERT_EQ(parser.parse(response.body)["error"].get_string().get(message), simdjson::SUCCESS) << response.body;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find(root_), std::string::npos) << "the message shows where the repository lies: " << message;
  }

  std::string root_;
  std::unique_ptr<Repository> repository_;
  Metrics metrics_;
  HandlerOptions options_;
  std::unique_ptr<HttpHandler> handler_;
};

constexpr char kGood[] =
    R"({"id":"7\"","inputs":[{"name":"a","datatype":"FP32","shape":[2,2],"data":[[1,2.5],[3e-9,-4]]},)"
    R"({"name":"b","datatype":"INT64","shape":[2],"data":[-9007199254740993,5]}],"later":{"x":[1]}})";

std::string WithA(const std::string& shape, const std::string& data) {
  return R"({"inputs":[{"name":"a","datatype":"FP32","shape":)" + shape + R"(,"data":)" + data +
         R"(},{"name":"b","datatype":"INT64","shape":[1],"data":[1]}]})";
}

TEST_F(HandlerTest, HealthAndMetadata) {
  EXPECT_EQ(Get("/v2/health/live").status, 200);
  EXPECT_EQ(Get("/v2/health/ready").status, 503) << "models 'broken' and 'empty' are not ready";
  EXPECT_EQ(Get("/v2/models/good/ready").status, 200);
  EXPECT_EQ(Get("/v2/models/good/versions/2/ready").status, 200);
  EXPECT_EQ(Get("/v2/models/broken/ready").status, 503);
  ExpectError(Get("/v2/models/broken"), 503, "'broken/1/model.tamis' is damaged");
  ExpectError(Get("/v2/models/empty"), 503, "there is no file empty/1/model.tamis");
  EXPECT_EQ(Get("/v2").body, R"({"name":"tamis","version":"0.1.0","extensions":["binary_tensor_data","classification",)"
                             R"("model_configuration","model_repository","statistics"]})");
  EXPECT_EQ(Get("/v2/models/good/").body,
            R"({"name":"good","versions":["1","2","10"],"platform":"tamis",)"
            R"("inputs":[{"name":"a","datatype":"FP32","shape":[-1,2]},{"name":"b","datatype":"INT64","shape":[-1]}],)"
            R"("outputs":[{"name":"y_a","datatype":"FP32","shape":[-1,2]},)"
            R"({"name":"y_b","datatype":"INT64","shape":[-1]}]})");
  const std::string index = Post("/v2/repository/index", "{}").body;
  EXPECT_NE(index.find(R"({"name":"good","version":"10","state":"READY","reason":""})"), std::string::npos) << index;
  EXPECT_NE(index.find(R"("state":"UNAVAILABLE","reason":"'broken/1/model.tamis' is damaged")"), std::string::npos);
}

TEST_F(HandlerTest, UnknownPathsAndMethods) {
  ExpectError(Get("/"), 404, "path");
  ExpectError(Get("/v2/models/nobody"), 404, "there is no model \"nobody\"");
  ExpectError(Get("/v2/models/good/versions/3"), 404, "no version \"3\"");
  ExpectError(Get("/v2/models/good/versions/01"), 404, "no version");
  ExpectError(Get("/v2/models/good/weights"), 404, "path");
  ExpectError(Get("/v2/models/good/config/more"), 404, "path");
  ExpectError(Get("/v2/models/good/versions/1/infer/x"), 404, "path");
  ExpectError(Get("/v2/models/..%2f..%2fetc%2fpasswd"), 404, "no model");
  ExpectError(Get("/v2/models/%00"), 400, "malformed");
  ExpectError(Get("/v2/models/%zz"), 400, "malformed");
  ExpectError(Get("http://x/v2"), 400, "malformed");
  ExpectError(Get("/v2/models/good/infer"), 405, "POST");
  ExpectError(handler_->Handle({"DELETE", "/v2/models/good", {}, ""}), 405, "GET");
  EXPECT_EQ(*FindHeader(Get("/v2/models/good/infer").headers, "allow"), "POST");
  EXPECT_EQ(Get("/v2/models/go%6Fd/ready?x=1").status, 200);
}

TEST_F(HandlerTest, InfersFromJson) {
  const HttpResponse response = Infer(kGood);
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body, R"({"id":"7\"","model_name":"good","model_version":"10","outputs":[)"
                           R"({"name":"y_a","datatype":"FP32","shape":[2,2],"data":[1,2.5,3e-09,-4]},)"
                           R"({"name":"y_b","datatype":"INT64","shape":[2],"data":[-9007199254740993,5]}]})");
  const HttpResponse first = Post("/v2/models/good/versions/1/infer", kGood);
  EXPECT_NE(first.body.find(R"("model_version":"1")"), std::string::npos);
  EXPECT_EQ(Infer(WithA("[2,2]", "[1,2,3,4]")).status, 200) << "flat data";
}

TEST_F(HandlerTest, SelectsOutputsAndSendsBinary) {
  std::string json = kGood;
  json.insert(json.size() - 1, R"(,"outputs":[{"name":"y_b"},{"name":"y_a","parameters":{"binary_data":true}}])");
  const HttpResponse response = Infer(json);
  ASSERT_EQ(response.status, 200) << response.body;
  const std::string* length = FindHeader(response.headers, "Inference-Header-Content-Length");
  ASSERT_NE(length, nullptr);
  const size_t json_bytes = std::stoul(*length);
  ASSERT_EQ(response.body.size(), json_bytes + 16);
  EXPECT_NE(response.body.find(R"("shape":[2,2],"parameters":{"binary_data_size":16}})"), std::string::npos);
  EXPECT_LT(response.body.find("y_b"), response.body.find("y_a"));
  float values[4];
  std::memcpy(values, response.body.data() + json_bytes, 16);
  EXPECT_EQ(values[1], 2.5f);
}

TEST_F(HandlerTest, ReadsBinaryInputs) {
  const std::string json =
      R"({"inputs":[{"name":"b","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}},)"
      R"({"name":"a","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}],)"
      R"("parameters":{"binary_data_output":true}})";
  const int64_t b = 77;
  const float a[2] = {1.5f, std::numeric_limits<float>::quiet_NaN()};
  const std::string tail =
      std::string(reinterpret_cast<const char*>(&b), 8) + std::string(reinterpret_cast<const char*>(a), 8);
  const HttpHeaders header = {{"inference-header-content-length", std::to_string(json.size())}};
  const HttpResponse response = Infer(json + tail, header);
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body.substr(response.body.size() - 16), tail.substr(8) + tail.substr(0, 8));
  ExpectError(Infer(json + tail + "x", header), 400, "bytes behind the JSON are 17");
  ExpectError(Infer(json + tail.substr(1), header), 400, "only 7 bytes are left");
  for (const char* bad : {"99999999999999999999999", "-1", "", "1e3", "0x10", "12 13", "+5"}) {
    ExpectError(Infer(json + tail, {{"Inference-Header-Content-Length", bad}}), 400, "is not a length");
  }
  ExpectError(Infer(json + tail, {{"Inference-Header-Content-Length", "5000"}}), 400, "only");
  ExpectError(Infer(json + tail, {{"Inference-Header-Content-Length", "0"}}), 400,
              "a raw request: the model has 2 inputs");
  ExpectError(Infer(json + tail, {{"Inference-Header-Content-Length", "10"}}), 400, "not valid JSON");
}

TEST_F(HandlerTest, ListsAllThatIsWrong) {
  const HttpResponse response =
      Infer(R"({"inputs":[{"name":"a","datatype":"FP64","shape":[1,7],"data":[1,2]},{"name":"c","shape":[1]}],)"
            R"("outputs":[{"name":"y_a","parameters":{"classification":-3}},{"name":"y_b","parameters":)"
            R"({"shared_memory_region":"r"}},{"name":"z"}],"parameters":{"sequence_id":7}})");
  for (const char* part :
       {"input 'a': datatype is 'FP64', but the model wants 'FP32'", "input 'a': shape is [1, 7], but the model wants",
        "input 'c': the model has no such input; it has 'a', 'b'", "input 'b' is missing",
        "output 'y_a': parameter 'classification' is not a number of classes",
        "output 'y_b': this server was not started with --shared-memory PREFIX: it reads and writes no memory of",
        "output 'z': the model has no such output",
        "parameter 'sequence_id' is not supported: requests are independent"}) {
    ExpectError(response, 400, part);
  }
}

TEST_F(HandlerTest, ARequestThatHasWaitedLongerThanItsTimeoutIsNotComputed) {
  const auto waited = [&](const std::string& parameters) {
    std::string body = kGood;
    body.insert(body.size() - 1, R"(,"parameters":{)" + parameters + "}");
    HttpRequest request{"POST", "/v2/models/good/infer", {{"Content-Length", std::to_string(body.size())}}, body};
    request.arrived -= std::chrono::milliseconds(50);
    return handler_->Handle(request);
  };
  ExpectError(waited(R"("timeout":49000)"), 503, "its timeout is 49000 us");
  EXPECT_EQ(GoodSession().runs, 0);
  EXPECT_EQ(waited(R"("timeout":3600000000,"priority":2)").status, 200);
  EXPECT_EQ(waited(R"("timeout":0)").status, 200);
  const HttpResponse wrong = waited(R"("timeout":-1,"priority":"high")");
  ExpectError(wrong, 400, "parameter 'timeout' is not a number of microseconds");
  ExpectError(wrong, 400, "parameter 'priority' is not a level");
}

TEST_F(HandlerTest, RefusesBadShapesAndData) {
  ExpectError(Infer(WithA("[1,3]", "[1,2,3]")), 400, "shape is [1, 3], but the model wants [-1, 2] (-1: any)");
  ExpectError(Infer(WithA("[2]", "[1,2]")), 400, "shape is [2]");
  ExpectError(Infer(WithA("[-1,2]", "[1,2]")), 400, "not a positive integer");
  ExpectError(Infer(WithA("[0,2]", "[]")), 400, "not a positive integer");
  ExpectError(Infer(WithA("[1.0,2]", "[1,2]")), 400, "not a positive integer");
  ExpectError(Infer(WithA("[4611686018427387904,2]", "[1,2]")), 400, "too many elements");
  ExpectError(Infer(WithA("[9223372036854775807,2]", "[1,2]")), 400, "too many elements");
  ExpectError(Infer(WithA("[99999999999999999999,2]", "[1,2]")), 400, "not");
  ExpectError(Infer(WithA("[1000000000,2]", "[1,2]")), 400, "its data has 2 elements");
  std::string rank = "[1";
  for (int i = 0; i < 1000; ++i) rank += ",1";
  ExpectError(Infer(WithA(rank + "]", "[1,2]")), 400, "more than 64 dimensions");
  ExpectError(Infer(WithA("[1,2]", "[1,2,3]")), 400, "its data has 3 elements, but its shape [1, 2] has 2");
  ExpectError(Infer(WithA("[2,2]", "[[1,2],[3]]")), 400, "do not follow the shape");
  ExpectError(Infer(WithA("[2,2]", "[[1,2],3]")), 400, "do not follow the shape");
  ExpectError(Infer(WithA("[2,2]", "[1,2,3,[4]]")), 400, "element 3 is not a number");
  ExpectError(Infer(WithA("[1,2]", "[1,\"2\"]")), 400, "element 1 is not a number");
  ExpectError(Infer(WithA("[1,2]", "[1,null]")), 400, "element 1 is not a number");
  ExpectError(Infer(WithA("[1,2]", "[1,1e39]")), 400, "element 1 is out of range");
  ExpectError(Infer(WithA("[1,2]", "[1,1e999]")), 400, "not valid JSON");
  ExpectError(Infer(WithA("[1,2]", "[1,NaN]")), 400, "not valid JSON");
  ExpectError(Infer(WithA("[1,2]", "{}")), 400, "its data is not an array");
  EXPECT_EQ(GoodSession().runs, 0);
}

TEST_F(HandlerTest, ChecksTheRangeOfEveryType) {
  const auto typed = [&](const std::string& u8, const std::string& u64, const std::string& flag) {
    return Post("/v2/models/typed/infer",
                R"({"inputs":[{"name":"f64","datatype":"FP64","shape":[1],"data":[0.1]},)"
                R"({"name":"u8","datatype":"UINT8","shape":[1],"data":[)" +
                    u8 +
                    R"(]},)"
                    R"({"name":"i64","datatype":"INT64","shape":[1],"data":[-9223372036854775808]},)"
                    R"({"name":"u64","datatype":"UINT64","shape":[1],"data":[)" +
                    u64 +
                    R"(]},)"
                    R"({"name":"flag","datatype":"BOOL","shape":[1],"data":[)" +
                    flag + "]}]}");
  };
  const HttpResponse good = typed("255", "18446744073709551615", "true");
  ASSERT_EQ(good.status, 200) << good.body;
  for (const char* part : {"[0.1]", "[255]", "[-9223372036854775808]", "[18446744073709551615]", "[true]"}) {
    EXPECT_NE(good.body.find(part), std::string::npos) << part;
  }
  ExpectError(typed("256", "1", "true"), 400, "input 'u8': element 0 is out of range");
  ExpectError(typed("-1", "1", "true"), 400, "out of range");
  ExpectError(typed("1.0", "1", "true"), 400, "not an integer");
  ExpectError(typed("1", "-1", "true"), 400, "input 'u64': element 0 is out of range");
  ExpectError(typed("1", "1", "1"), 400, "input 'flag': element 0 is not true or false");
}

TEST_F(HandlerTest, StringsTravelAsJsonAndAsBytes) {
  const std::string target = "/v2/models/text/infer";
  const HttpResponse flat = Post(
      target, R"({"inputs":[{"name":"t","datatype":"BYTES","shape":[2,2],"data":["a","","\u00e9\n\u0000","d"]}]})");
  ASSERT_EQ(flat.status, 200) << flat.body;
  EXPECT_NE(flat.body.find(R"("datatype":"BYTES","shape":[2,2],"data":["a","",")"), std::string::npos) << flat.body;
  const HttpResponse nested =
      Post(target, R"({"inputs":[{"name":"t","datatype":"BYTES","shape":[1,2],"data":[["x","y"]]}]})");
  EXPECT_NE(nested.body.find(R"(["x","y"])"), std::string::npos) << nested.body;

  const auto binary = [&](const std::string& bytes, bool binary_out) {
    const std::string json = fmt::format(
        R"({{"inputs":[{{"name":"t","datatype":"BYTES","shape":[1,2],"parameters":{{"binary_data_size":{}}}}}],)"
        R"("outputs":[{{"name":"y_t","parameters":{{"binary_data":{}}}}}]}})",
        bytes.size(), binary_out);
    return Post(target, json + bytes, {{"Inference-Header-Content-Length", std::to_string(json.size())}});
  };
  const std::string bytes("\x03\0\0\0a\0b\x01\0\0\0\xff", 12);
  const HttpResponse echo = binary(bytes, true);
  ASSERT_EQ(echo.status, 200) << echo.body;
  EXPECT_TRUE(echo.body.ends_with(bytes));
  EXPECT_NE(echo.body.find(R"("binary_data_size":12)"), std::string::npos) << echo.body;
  ExpectError(binary(bytes, false), 400, "not UTF-8");
  ExpectError(binary(bytes.substr(0, 11), true), 400, "element 1 is 1 bytes long, but only 0 are left");
  ExpectError(binary(bytes + "x", true), 400, "1 bytes are left behind its last element");
  ExpectError(binary(bytes.substr(0, 4), true), 400, "at least 8");
  ExpectError(binary(std::string("\xff\xff\xff\xff\0\0\0\0", 8), true), 400, "element 0 is 4294967295 bytes long");
  ExpectError(Post(target, R"({"inputs":[{"name":"t","datatype":"BYTES","shape":[1,2],"data":["a",1]}]})"), 400,
              "element 1 is not a string");
}

TEST_F(HandlerTest, SequencesAreRefused) {
  const HttpResponse response =
      Post("/v2/models/lists/infer", R"({"inputs":[{"name":"l","datatype":"FP32","shape":[1],"data":[1]}]})");
  ExpectError(response, 400, "input 'l': the model wants seq(tensor(float)), which cannot be sent over this protocol");
  ExpectError(response, 400, "output 'y_l' is of type seq(tensor(float))");
  EXPECT_NE(Get("/v2/models/lists").body.find("\"datatype\":\"seq(tensor(float))\""), std::string::npos);
}

TEST_F(HandlerTest, HalfPrecisionTravelsAsBinaryOnly) {
  const std::string target = "/v2/models/half/infer";
  ExpectError(Post(target, R"({"inputs":[{"name":"h","datatype":"FP16","shape":[2],"data":[1,2]}]})"), 400,
              "input 'h': data of type FP16 can only be sent as binary");
  const std::string json =
      R"({"inputs":[{"name":"h","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}}])";
  const std::string binary = json + R"(,"parameters":{"binary_data_output":true}})";
  const uint16_t values[2] = {FloatToHalf(1.5f), FloatToHalf(-2)};
  const std::string tail(reinterpret_cast<const char*>(values), 4);
  const HttpResponse response =
      Post(target, binary + tail, {{"Inference-Header-Content-Length", std::to_string(binary.size())}});
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body.substr(response.body.size() - 4), tail);
  ExpectError(Post(target, json + "}" + tail, {{"Inference-Header-Content-Length", std::to_string(json.size() + 1)}}),
              400, "output 'y_h' is of type FP16, which can only be sent as binary");
}

TEST_F(HandlerTest, SurvivesHostileJson) {
  ExpectError(Infer(""), 400, "not valid JSON");
  ExpectError(Infer("[]"), 400, "not a JSON object");
  ExpectError(Infer("{\"inputs\":3}"), 400, "'inputs' is missing or not an array");
  ExpectError(Infer(std::string(250000, '[')), 400, "not valid JSON");
  ExpectError(Infer("{\"inputs\":" + std::string(250000, '[') + std::string(250000, ']') + "}"), 400, "not valid JSON");
  ExpectError(Infer("{\"id\":\"\xff\xfe\"}"), 400, "not valid JSON");
  std::string many = "{\"inputs\":[";
  for (int i = 0; i < 20000; ++i) many += R"({"name":"a"},)";
  const HttpResponse response = Infer(many + "{}]}");
  EXPECT_EQ(response.status, 400);
  EXPECT_LT(response.body.size(), 4096u) << "a long list of problems is cut";
  ExpectError(Infer(R"({"inputs":[{"name":")" + std::string(100000, 'n') + R"("}]})"), 400, "nnn...");
}

TEST_F(HandlerTest, FloatsReadBackAsTheyWere) {
  const float values[] = {0.1f, 1.17549435e-38f, 3.4028235e38f, 1e-45f, -0.0f, 16777217.f};
  const std::string json =
      R"({"inputs":[{"name":"a","datatype":"FP32","shape":[3,2],"parameters":{"binary_data_size":24}},)"
      R"({"name":"b","datatype":"INT64","shape":[3],"data":[1,2,3]}],"outputs":[{"name":"y_a"}]})";
  const HttpResponse response = Infer(json + std::string(reinterpret_cast<const char*>(values), 24),
                                      {{"Inference-Header-Content-Length", std::to_string(json.size())}});
  ASSERT_EQ(response.status, 200) << response.body;
  simdjson::dom::parser parser;
  size_t i = 0;
  for (double value : parser.parse(response.body)["outputs"].at(0)["data"].get_array()) {
    EXPECT_EQ(static_cast<float>(value), values[i++]);
  }
  EXPECT_EQ(i, 6u);
  const auto answer = [&](const float(&odd)[6]) {
    return Infer(json + std::string(reinterpret_cast<const char*>(odd), 24),
                 {{"Inference-Header-Content-Length", std::to_string(json.size())}});
  };
  const HttpResponse nulls = answer({NAN, 0, NAN, 1, 2, 3});
  EXPECT_NE(nulls.body.find("[null,0,null,1,2,3]"), std::string::npos) << nulls.body;
  for (const float infinite : {INFINITY, -INFINITY}) {
    ExpectError(answer({1, 2, infinite, 4, 5, 6}), 400, "output 'y_a' has infinities, which JSON can't hold");
  }
}

std::string Deflate(const std::string& text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(HandlerTest, InflatesWithinTheLimit) {
  const std::string good = kGood;
  EXPECT_EQ(Infer(Deflate(good, 31), {{"Content-Encoding", "gzip"}}).status, 200);
  EXPECT_EQ(Infer(Deflate(good, 15), {{"content-encoding", "deflate"}}).status, 200);
  EXPECT_EQ(Infer(Deflate(good, -15), {{"Content-Encoding", "deflate"}}).status, 200);
  EXPECT_EQ(
      Infer(Deflate(good.substr(0, 40), 31) + Deflate(good.substr(40), 31), {{"Content-Encoding", "gzip"}}).status,
      200);
  ExpectError(Infer(Deflate(std::string(100 << 20, ' '), 31), {{"Content-Encoding", "gzip"}}), 413, "limit");
  ExpectError(Infer(good, {{"Content-Encoding", "gzip"}}), 400, "not valid gzip");
  ExpectError(Infer(Deflate(good, 31).substr(0, 50), {{"Content-Encoding", "gzip"}}), 400, "not valid gzip");
  ExpectError(Infer(Deflate(good, 15) + "x", {{"Content-Encoding", "deflate"}}), 400, "not valid deflate");
  ExpectError(Infer(good, {{"Content-Encoding", "br"}}), 415, "gzip, deflate");
}

TEST_F(HandlerTest, LimitsAndFailures) {
  ExpectError(Infer(std::string(2 << 20, ' ')), 413, "limit of 1048576 bytes");
  ExpectError(handler_->Handle({"POST", "/v2/models/good/infer", {}, ""}), 411, "Content-Length");
  ExpectError(Post("/v2/models/broken/infer", kGood), 503, "not ready");
  FakeSession* session = &GoodSession();
  session->failure = UserError("dimension 'n' is 2 and 3");
  ExpectError(Infer(kGood), 400, "dimension 'n'");
  session->failure = InternalError("a bug");
  ExpectError(Infer(kGood), 500, "a bug");
  session->failure = {};
  options_.max_concurrent = 0;
  HttpHandler busy(repository_.get(), &metrics_, options_);
  const HttpResponse response = busy.Handle({"POST", "/v2/models/good/infer", {{"Content-Length", "9"}}, kGood});
  ExpectError(response, 503, "try again");
  EXPECT_NE(FindHeader(response.headers, "Retry-After"), nullptr);
}

TEST_F(HandlerTest, MetricsCount) {
  (void)Infer(kGood);
  (void)Infer(kGood);
  (void)Infer("{}");
  (void)Get("/v2/models/nobody");
  const std::string text = Get("/metrics").body;
  for (const char* line : {
           "tamis_inference_requests_total{model=\"good\",version=\"10\",code=\"200\"} 2\n",
           "tamis_inference_requests_total{model=\"good\",version=\"10\",code=\"400\"} 1\n",
           "tamis_inference_failures_total{model=\"good\",version=\"10\"} 1\n",
           "tamis_inference_in_flight{model=\"good\",version=\"10\"} 0\n",
           "tamis_inference_duration_seconds_count{model=\"good\",version=\"10\"} 3\n",
           "tamis_inference_duration_seconds_bucket{model=\"good\",version=\"10\",le=\"+Inf\"} 3\n",
           "tamis_inference_compute_duration_seconds_count{model=\"good\",version=\"10\"} 2\n",
           "tamis_http_responses_total{code=\"404\"} 1\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
  EXPECT_EQ(text.find("nobody"), std::string::npos) << "clients cannot make labels";
}

TEST_F(HandlerTest, ConfigurationAndStatistics) {
  EXPECT_EQ(Get("/v2/models/good/config").body,
            R"({"name":"good","platform":"tamis","backend":"tamis","version_policy":{"all":{}},"max_batch_size":0,)"
            R"("input":[{"name":"a","data_type":"TYPE_FP32","dims":[-1,2]},)"
            R"({"name":"b","data_type":"TYPE_INT64","dims":[-1]}],)"
            R"("output":[{"name":"y_a","data_type":"TYPE_FP32","dims":[-1,2]},)"
            R"({"name":"y_b","data_type":"TYPE_INT64","dims":[-1]}]})");
  EXPECT_NE(Get("/v2/models/text/config").body.find("TYPE_STRING"), std::string::npos);
  const std::string fresh = Get("/v2/models/good/versions/2/stats").body;
  EXPECT_NE(fresh.find(R"("version":"2","last_inference":0,"inference_count":0,"execution_count":0)"),
            std::string::npos)
      << fresh;
  EXPECT_EQ(Infer(kGood).status, 200);
  EXPECT_EQ(Infer(kGood).status, 200);
  EXPECT_EQ(Infer("{}").status, 400);
  simdjson::dom::parser parser;
  const std::string body = Get("/v2/models/good/stats").body;
  const simdjson::dom::element stats = parser.parse(body)["model_stats"].at(2);
  EXPECT_EQ(std::string_view(stats["version"]), "10") << body;
  EXPECT_EQ(int64_t(stats["inference_count"]), 4) << "two requests of two rows";
  EXPECT_EQ(int64_t(stats["execution_count"]), 2);
  EXPECT_EQ(int64_t(stats["inference_stats"]["success"]["count"]), 2);
  EXPECT_EQ(int64_t(stats["inference_stats"]["fail"]["count"]), 1);
  const auto ns = [&](const char* part) { return int64_t(stats["inference_stats"][part]["ns"]); };
  EXPECT_GT(ns("compute_infer"), 0);
  EXPECT_LE(ns("compute_input") + ns("compute_infer") + ns("compute_output"),
            ns("success") + 3);  // each cut to whole ns
  EXPECT_GT(int64_t(stats["last_inference"]), 1'600'000'000'000);
  EXPECT_NE(Get("/v2/models/stats").body.find("\"typed\""), std::string::npos);
  EXPECT_EQ(Get("/v2/models/stats").body.find("\"broken\""), std::string::npos) << "it is not ready";
}

TEST_F(HandlerTest, ClassesInsteadOfScores) {
  const HttpResponse response = Infer(R"({"inputs":[{"name":"a","datatype":"FP32","shape":[2,2],"data":[1,2.5,3,-4]},)"
                                      R"({"name":"b","datatype":"INT64","shape":[2],"data":[1,2]}],)"
                                      R"("outputs":[{"name":"y_a","parameters":{"classification":1}}]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.body.find(R"({"name":"y_a","datatype":"BYTES","shape":[2,1],"data":["2.5:1","3:0"]})"),
            std::string::npos)
      << response.body;
}

TEST_F(HandlerTest, ARawRequestIsTheOnlyInputsBytes) {
  const HttpHeaders raw = {{"Inference-Header-Content-Length", "0"}};
  const std::string halves = "abcd";  // of f16 [2]
  const HttpResponse response = Post("/v2/models/half/infer", halves, raw);
  ASSERT_EQ(response.status, 200) << response.body;
  ASSERT_NE(FindHeader(response.headers, "Inference-Header-Content-Length"), nullptr);
  EXPECT_EQ(response.body.substr(response.body.size() - 4), halves);
  ExpectError(Post("/v2/models/half/infer", "abc", raw), 400, "a raw request: its bytes are 3");
  ExpectError(Post("/v2/models/text/infer", "abc", raw), 400, "does not follow from its bytes");
  ExpectError(Post("/v2/models/lists/infer", "abc", raw), 400, "does not follow from its bytes");
}

TEST_F(HandlerTest, WhatIsNotOfferedSaysWhy) {
  ExpectError(Get("/v2/systemsharedmemory/status"), 403, "not started with --shared-memory");
  ExpectError(Post("/v2/systemsharedmemory/region/r/register", "{}"), 403, "not started with --shared-memory");
  ExpectError(Post("/v2/cudasharedmemory/region/r/register", "{}"), 501, "memory of GPUs can't be registered");
  EXPECT_EQ(Post("/v2/cudasharedmemory/unregister", "").status, 200) << "there is none";
  ExpectError(Get("/v2/logging"), 501, "log settings");
  ExpectError(Get("/v2/trace/setting"), 501, "traces");
  ExpectError(Get("/v2/models/good/trace/setting"), 501, "traces");
}

TEST_F(HandlerTest, ModelsAreLoadedAndUnloadedWhereThatIsAllowed) {
  ExpectError(Post("/v2/repository/models/good/unload", ""), 403, "--model-control-mode explicit");
  options_.model_control = true;
  handler_ = std::make_unique<HttpHandler>(repository_.get(), &metrics_, options_);
  EXPECT_EQ(Post("/v2/repository/models/good/unload", "").status, 200);
  ExpectError(Infer(kGood), 503, "it was unloaded");
  EXPECT_EQ(Post("/v2/repository/index", R"({"ready":true})").body.find("\"good\""), std::string::npos);
  EXPECT_NE(Post("/v2/repository/index", "").body.find("\"good\""), std::string::npos);
  const auto load = [&](const char* body) { return Post("/v2/repository/models/good/load", body); };
  for (const char* name : {"config", "file:1/model.onnx"}) {
    ExpectError(load(fmt::format(R"({{"parameters":{{"a":1,"{}":"x"}}}})", name).c_str()), 400,
                fmt::format("parameter '{}' is not supported: a model is loaded as its files", name));
  }
  ExpectError(load("{"), 400, "JSON");
  ExpectError(load(R"({"parameters":[{"config":"{}"}]})"), 400, "'parameters' is not an object");
  ExpectError(load(("{\"parameters\":{\"file:1/a\":\"" + std::string(5000, 'x') + "\"}}").c_str()), 400,
              "files, is not");
  ExpectError(Infer(kGood), 503, "it was unloaded");
  EXPECT_EQ(load(R"({"parameters":{}})").status, 200);
  EXPECT_EQ(load("\n").status, 200);
  EXPECT_EQ(Infer(kGood).status, 200);
  ExpectError(Post("/v2/repository/models/broken/load", ""), 400, "failed to load 'broken'");
  for (const char* name : {"nobody", "..", "%2e%2e%2fgood", "good%2f1"}) {
    ExpectError(Post(std::string("/v2/repository/models/") + name + "/load", ""), 400, "no such model");
  }
  ExpectError(Get("/v2/repository/models/good/load"), 405, "POST");
  ExpectError(Post("/v2/repository/models/good/reload", ""), 404, "path");
  ExpectError(Post("/v2/repository/index", "{"), 400, "JSON");
}

TEST(RepositoryTest, OneFileAndNothing) {
  const std::string path = ::testing::TempDir() + "one_model.tamis";
  std::ofstream(path) << "x";
  const SessionLoader load = [](const std::string&) {
    return Result<std::shared_ptr<Session>>(std::shared_ptr<Session>(testing::MakeFakeSession()));
  };
  auto one = Repository::Open(path, load);
  ASSERT_TRUE(one.ok()) << one.status().message();
  EXPECT_TRUE((*one)->Ready());
  ASSERT_NE((*one)->Find("one_model", "1"), nullptr);
  fs::remove(path);
  EXPECT_FALSE(Repository::Open(path, load).ok());
  const std::string folder = ::testing::TempDir() + "no_models";
  fs::create_directories(folder);
  const auto nothing = Repository::Open(folder, load);
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.status().message().find("<model>/<version>/model.tamis"), std::string::npos);
  fs::remove_all(folder);
}

}  // namespace
TEST(InferRequest, LooksAtAlignedBytesOfAnOwnedBody) {
  const auto session = testing::MakeFakeSession();
  const std::string json =
      R"({"inputs":[{"name":"a","datatype":"FP32","shape":[8,2],"parameters":{"binary_data_size":64}},)"
      R"({"name":"b","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}}]})";
  for (const size_t shift : {0, 4}) {
    const size_t lead = 64 - json.size() % 64 + shift;
    const auto memory = std::shared_ptr<char>(static_cast<char*>(std::aligned_alloc(64, 1024)), std::free);
    char* body = memory.get() + lead;
    const size_t size = json.size() + 72;
    std::memcpy(body, json.data(), json.size());
    for (int i = 0; i < 72; ++i) body[json.size() + static_cast<size_t>(i)] = static_cast<char>(i);
    for (const bool owned : {true, false}) {
      const auto request = ParseInferRequest({body, size}, std::to_string(json.size()), *session,
                                             owned ? memory : std::shared_ptr<char>());
      ASSERT_TRUE(request.ok()) << request.status().message();
      const Tensor &a = request->inputs.at("a"), &b = request->inputs.at("b");
      const bool looks = owned && shift == 0;
      EXPECT_EQ(a.raw() == reinterpret_cast<std::byte*>(body + json.size()), looks);
      EXPECT_EQ(b.raw() == reinterpret_cast<std::byte*>(body + json.size() + 64), looks);
      EXPECT_EQ(std::memcmp(a.raw(), body + json.size(), 64), 0);
      EXPECT_EQ(std::memcmp(b.raw(), body + json.size() + 64, 8), 0);
    }
  }
}

}  // namespace tamis
