// Tensors in shared memory over HTTP, without sockets.
#include "src/server/protocol/shared_memory_routes.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "src/server/fake_session.h"
#include "src/server/protocol/http_handler.h"
#include "src/server/shared_object.h"

namespace tamis {
namespace {

// One model, "fake": each input x comes back as output y_x.
class SharedMemoryRoutesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "fake.tamis";
    std::ofstream(path_) << "x";
    auto opened = Repository::Open(
        path_, [](const std::string&) { return Result<std::shared_ptr<Session>>(testing::MakeFakeSession()); });
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    repository_ = std::move(*opened);
    HandlerOptions options;
    options.shared_memory = "/tamis_test_";
    handler_ = std::make_unique<HttpHandler>(repository_.get(), &metrics_, options);
    region_ = R"({"key":")" + object_.key() + R"(","offset":64,"byte_size":512})";
  }
  void TearDown() override { std::remove(path_.c_str()); }

  HttpResponse Get(const std::string& target) { return handler_->Handle({"GET", target, {}, ""}); }
  HttpResponse Post(const std::string& target, const std::string& body) {
    return handler_->Handle({"POST", target, {{"content-length", std::to_string(body.size())}}, body});
  }
  void ExpectError(const HttpResponse& response, int code, const std::string& part) {
    EXPECT_EQ(response.status, code) << response.body;
    EXPECT_NE(response.body.find(part), std::string::npos) << response.body;
  }

  std::string path_, region_;
  testing::SharedObject object_{"routes", 1024};
  Metrics metrics_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<HttpHandler> handler_;
};

TEST_F(SharedMemoryRoutesTest, RegionsComeAndGo) {
  EXPECT_NE(Get("/v2").body.find("system_shared_memory"), std::string::npos);
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, "[]");
  EXPECT_EQ(Post("/v2/systemsharedmemory/region/a/register", region_).body, "{}");
  const std::string listed = R"([{"name":"a","key":")" + object_.key() + R"(","offset":64,"byte_size":512}])";
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, listed);
  EXPECT_EQ(Get("/v2/systemsharedmemory/region/a/status").body, listed);
  ExpectError(Post("/v2/systemsharedmemory/region/a/register", region_), 400, "registered already");
  EXPECT_EQ(Post("/v2/systemsharedmemory/region/a/unregister", "").status, 200);
  ExpectError(Get("/v2/systemsharedmemory/region/a/status"), 404, "no shared memory region 'a'");
  EXPECT_EQ(Post("/v2/systemsharedmemory/region/a/register", region_).status, 200);
  EXPECT_EQ(Post("/v2/systemsharedmemory/unregister", "").status, 200);
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, "[]");
}

TEST_F(SharedMemoryRoutesTest, WhatIsWrongIsSaid) {
  ExpectError(Post("/v2/systemsharedmemory/region/a/register", R"({"offset":-1})"), 400,
              "'key' is missing or not a string; 'byte_size' is missing or not a size; 'offset' is not a size");
  ExpectError(Post("/v2/systemsharedmemory/region/a/register", "[]"), 400, "not a JSON object");
  ExpectError(Post("/v2/systemsharedmemory/register", region_), 404, "no such path");
  ExpectError(Get("/v2/systemsharedmemory/region/a"), 404, "no such path");
  ExpectError(Get("/v2/systemsharedmemory/region/a/register"), 405, "POST");
  ExpectError(Post("/v2/systemsharedmemory/status", ""), 405, "GET");
  EXPECT_EQ(Get("/v2/cudasharedmemory/status").body, "[]");
}

TEST_F(SharedMemoryRoutesTest, TensorsTravelThroughARegion) {
  ASSERT_EQ(Post("/v2/systemsharedmemory/region/a/register", region_).status, 200);
  const float values[] = {1, 2.5f, -3, 4};
  object_.Put({reinterpret_cast<const char*>(values), sizeof values}, 64 + 16);
  const auto request = [](const std::string& of_input, const std::string& of_output) {
    return R"({"inputs":[{"name":"a","datatype":"FP32","shape":[2,2],)" + of_input +
           R"(},{"name":"b","datatype":"INT64","shape":[1],"data":[7]}],"outputs":[{"name":"y_b"},{"name":"y_a",)" +
           of_output + "}]}";
  };
  const auto place = [](int offset, int size) {
    return fmt::format(R"("parameters":{{"shared_memory_region":"a","shared_memory_offset":{},)"
                       R"("shared_memory_byte_size":{}}})",
                       offset, size);
  };
  const std::string infer = "/v2/models/fake/infer";
  EXPECT_EQ(Post(infer, request(place(16, 16), place(256, 64))).body,
            R"({"model_name":"fake","model_version":"1","outputs":[)"
            R"({"name":"y_b","datatype":"INT64","shape":[1],"data":[7]},)"
            R"({"name":"y_a","datatype":"FP32","shape":[2,2],"parameters":{"shared_memory_region":"a",)"
            R"("shared_memory_offset":256,"shared_memory_byte_size":16}}]})");
  EXPECT_EQ(object_.Get(16, 64 + 256), object_.Get(16, 64 + 16));

  ExpectError(Post(infer, request(place(16, 12), place(500, 16))), 400,
              "input 'a': its bytes are 12, but FP32[2, 2] takes 16; output 'y_a': shared memory region 'a' has 512");
  ExpectError(Post(infer, request(place(16, 16), place(256, 8))), 400,
              "output 'y_a': it takes 16 bytes, but its place");
  ExpectError(Post(infer, request(place(16, 16) + R"(,"data":[1,2,3,4])", place(256, 64))), 400,
              "input 'a': has more than one of 'data'");
  ExpectError(Post(infer, request(R"("parameters":{"shared_memory_region":"b"})", R"("parameters":{})")), 400,
              "no shared memory region 'b'");
}

}  // namespace
}  // namespace tamis
