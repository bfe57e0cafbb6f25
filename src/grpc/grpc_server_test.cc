#include "src/grpc/grpc_server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "src/grpc/grpc_service.h"
#include "src/server/fake_session.h"

namespace tamis {
namespace {

using grpc::StatusCode;
using inference::GRPCInferenceService;

// A fake network over a real connection: each input x comes back as output y_x.
class GrpcServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "grpc_test.tamis";
    std::ofstream(path_) << "x";
    options_.path = path_;
    options_.http.port = 0;
    options_.load = [this](const std::string&) { return Result<std::shared_ptr<Session>>(session_); };
    Start();
  }
  void TearDown() override {
    session_->Block(false);
    grpc_.reset();
    server_.reset();
    std::remove(path_.c_str());
  }
  void Start() {
    grpc_.reset();
    auto server = Server::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(*server);
    GrpcServerOptions grpc;
    grpc.port = 0;
    grpc.max_message_bytes = 1 << 20;
    grpc.inference = inference_;
    auto started = GrpcServer::Start(server_.get(), grpc);
    ASSERT_TRUE(started.ok()) << started.status().message();
    grpc_ = std::move(*started);
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(grpc_->port()), grpc::InsecureChannelCredentials());
    stub_ = GRPCInferenceService::NewStub(channel_);
  }

  // a: f32 [2, 2], b: i64 [2]; typed contents or raw ones.
  static inference::ModelInferRequest Request(bool raw) {
    inference::ModelInferRequest request;
    request.set_model_name("grpc_test");
    request.set_id("7");
    const float a[] = {1, 2.5f, 3, -4};
    const int64_t b[] = {-9007199254740993, 5};
    auto* first = request.add_inputs();
    first->set_name("a");
    first->set_datatype("FP32");
    for (const int64_t dim : {2, 2}) first->add_shape(dim);
    auto* second = request.add_inputs();
    second->set_name("b");
    second->set_datatype("INT64");
    second->add_shape(2);
    if (raw) {
      request.add_raw_input_contents(std::string(reinterpret_cast<const char*>(a), sizeof a));
      request.add_raw_input_contents(std::string(reinterpret_cast<const char*>(b), sizeof b));
    } else {
      for (const float value : a) first->mutable_contents()->add_fp32_contents(value);
      for (const int64_t value : b) second->mutable_contents()->add_int64_contents(value);
    }
    return request;
  }
  // A request that is at work until the session is no longer blocked.
  std::thread Occupy() {
    session_->Block(true);
    const int before = session_->runs;
    std::thread request([this] {
      inference::ModelInferResponse response;
      EXPECT_TRUE(Infer(Request(true), &response).ok());
    });
    while (session_->runs == before) std::this_thread::yield();
    EXPECT_EQ(session_->runs, before + 1);
    return request;
  }
  grpc::Status Infer(const inference::ModelInferRequest& request, inference::ModelInferResponse* response) {
    grpc::ClientContext context;
    return stub_->ModelInfer(&context, request, response);
  }
  void ExpectError(const inference::ModelInferRequest& request, StatusCode code, const std::string& part) {
    inference::ModelInferResponse response;
    const grpc::Status status = Infer(request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_NE(status.error_message().find(part), std::string::npos) << status.error_message();
  }

  std::string path_;
  ServerOptions options_;
  GrpcInferenceOptions inference_ = {.workers = 4, .max_streams = 8};
  std::shared_ptr<testing::FakeSession> session_ = testing::MakeFakeSession();
  std::unique_ptr<Server> server_;
  std::unique_ptr<GrpcServer> grpc_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

TEST_F(GrpcServerTest, TypedAndRawContentsAreAlike) {
  for (const bool raw : {false, true}) {
    inference::ModelInferResponse response;
    const grpc::Status status = Infer(Request(raw), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.id(), "7");
    EXPECT_EQ(response.model_name() + response.model_version(), "grpc_test1");
    ASSERT_EQ(response.outputs_size(), 2);
    EXPECT_EQ(response.outputs(0).name() + response.outputs(0).datatype(), "y_aFP32");
    ASSERT_EQ(response.outputs(0).shape_size(), 2);
    EXPECT_EQ(response.raw_output_contents(0), Request(true).raw_input_contents(0));
    EXPECT_EQ(response.raw_output_contents(1), Request(true).raw_input_contents(1));
  }
  EXPECT_EQ(server_->metrics().TotalsOf("grpc_test", "1").rows, 4);
}

TEST_F(GrpcServerTest, OneErrorListsAllThatIsWrong) {
  auto request = Request(false);
  request.mutable_inputs(0)->set_datatype("FP64");
  request.mutable_inputs(1)->set_shape(0, 3);
  (*request.mutable_parameters())["sequence_id"].set_int64_param(1);
  request.add_outputs()->set_name("z");
  for (const char* part : {"input 'a': datatype is 'FP64', but the model wants 'FP32'",
                           "input 'b': its int64_contents are 2, but its shape [3] has 3 elements",
                           "parameter 'sequence_id' is not supported: requests are independent",
                           "output 'z': the model has no such output"}) {
    ExpectError(request, StatusCode::INVALID_ARGUMENT, part);
  }
}

TEST_F(GrpcServerTest, RefusesBadShapesAndContents) {
  auto raw = Request(true);
  raw.mutable_raw_input_contents()->RemoveLast();
  ExpectError(raw, StatusCode::INVALID_ARGUMENT, "raw_input_contents are 1 for 2 inputs");
  raw = Request(true);
  raw.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  ExpectError(raw, StatusCode::INVALID_ARGUMENT, "has both contents and raw_input_contents");
  raw = Request(true);
  raw.set_raw_input_contents(0, "short");
  ExpectError(raw, StatusCode::INVALID_ARGUMENT, "takes 16");
  for (const int64_t dim : {int64_t{0}, int64_t{-1}, int64_t{1} << 62, int64_t{1} << 40}) {
    auto request = Request(false);
    request.mutable_inputs(0)->set_shape(0, dim);
    inference::ModelInferResponse response;
    EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::INVALID_ARGUMENT) << dim;
  }
  auto missing = Request(false);
  missing.mutable_inputs()->RemoveLast();
  ExpectError(missing, StatusCode::INVALID_ARGUMENT, "input 'b' is missing");
  auto twice = Request(false);
  *twice.add_inputs() = twice.inputs(0);
  ExpectError(twice, StatusCode::INVALID_ARGUMENT, "input 'a': given twice");
}

TEST_F(GrpcServerTest, ClassesInsteadOfScores) {
  auto request = Request(true);
  auto* output = request.add_outputs();
  output->set_name("y_a");
  (*output->mutable_parameters())["classification"].set_int64_param(1);
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(request, &response).ok());
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_EQ(response.raw_output_contents(0), std::string("\5\0\0\0"
                                                         "2.5:1"
                                                         "\3\0\0\0"
                                                         "3:0",
                                                         16));
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(0);
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "not a number of classes");
}

TEST_F(GrpcServerTest, UnknownModelsAndVersions) {
  auto request = Request(true);
  request.set_model_name("nobody");
  ExpectError(request, StatusCode::NOT_FOUND, "there is no model 'nobody'");
  request = Request(true);
  request.set_model_version("2");
  ExpectError(request, StatusCode::NOT_FOUND, "no version '2'");
}

TEST_F(GrpcServerTest, AStreamGoesOnAfterAnError) {
  grpc::ClientContext context;
  const auto stream = stub_->ModelStreamInfer(&context);
  auto wrong = Request(true);
  wrong.mutable_inputs(0)->set_name("c");
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Write(wrong));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_NE(response.error_message().find("the model has no such input"), std::string::npos);
  EXPECT_EQ(response.infer_response().id(), "7");
  ASSERT_TRUE(stream->Write(Request(true)));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error_message(), "");
  EXPECT_EQ(response.infer_response().raw_output_contents(0), Request(true).raw_input_contents(0));
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, OpenStreamsLeaveRoomForCalls) {
  grpc::ClientContext contexts[9];
  std::vector<
      std::unique_ptr<grpc::ClientReaderWriter<inference::ModelInferRequest, inference::ModelStreamInferResponse>>>
      streams;
  inference::ModelStreamInferResponse response;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(stub_->ModelStreamInfer(&contexts[i]));
    ASSERT_TRUE(streams.back()->Write(Request(true)));
    ASSERT_TRUE(streams.back()->Read(&response)) << "stream " << i << " is open";
  }
  const auto ninth = stub_->ModelStreamInfer(&contexts[8]);
  EXPECT_FALSE(ninth->Read(&response));
  EXPECT_EQ(ninth->Finish().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  inference::ModelInferResponse answer;
  EXPECT_TRUE(Infer(Request(true), &answer).ok());
  for (auto& stream : streams) {
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(GrpcServerTest, HealthMetadataConfigurationAndStatistics) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  const auto check = [&](const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(service);
    const grpc::Status status = health->Check(&context, request, &response);
    return status.ok() ? static_cast<int>(response.status()) : -static_cast<int>(status.error_code());
  };
  EXPECT_EQ(check(""), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(check("grpc_test"), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(check("inference.GRPCInferenceService"), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(check("nobody"), -StatusCode::NOT_FOUND);
  const auto call = [&](auto method, auto request, auto response) {
    grpc::ClientContext context;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  };
  inference::ModelMetadataRequest of_metadata;
  of_metadata.set_name("grpc_test");
  const auto metadata =
      call(&GRPCInferenceService::Stub::ModelMetadata, of_metadata, inference::ModelMetadataResponse());
  EXPECT_EQ(metadata.inputs(0).ShortDebugString(), R"(name: "a" datatype: "FP32" shape: -1 shape: 2)");
  inference::ModelConfigRequest of_config;
  of_config.set_name("grpc_test");
  const auto config = call(&GRPCInferenceService::Stub::ModelConfig, of_config, inference::ModelConfigResponse());
  EXPECT_EQ(config.config().input(1).data_type(), inference::TYPE_INT64);
  inference::ModelInferResponse answer;
  ASSERT_TRUE(Infer(Request(true), &answer).ok());
  const auto stats = call(&GRPCInferenceService::Stub::ModelStatistics, inference::ModelStatisticsRequest(),
                          inference::ModelStatisticsResponse());
  ASSERT_EQ(stats.model_stats_size(), 1);
  EXPECT_EQ(stats.model_stats(0).inference_count(), 2U);
  EXPECT_EQ(stats.model_stats(0).inference_stats().success().count(), 1U);
  server_->Drain();
  EXPECT_EQ(check(""), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(Infer(Request(true), &answer).ok()) << "requests are still answered";
}

TEST_F(GrpcServerTest, ModelsAreUnloadedWhereThatIsAllowed) {
  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("grpc_test");
  inference::RepositoryModelUnloadResponse unloaded;
  grpc::ClientContext first, second;
  EXPECT_EQ(stub_->RepositoryModelUnload(&first, unload, &unloaded).error_code(), StatusCode::PERMISSION_DENIED);
  options_.handler.model_control = true;
  Start();
  EXPECT_TRUE(stub_->RepositoryModelUnload(&second, unload, &unloaded).ok());
  ExpectError(Request(true), StatusCode::UNAVAILABLE, "it was unloaded");
}

TEST_F(GrpcServerTest, CallsThatAreNotThereSayWhy) {
  const auto said = [&](const char* method) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(), &queue);
    grpc::ByteBuffer response;
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, this);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
    return status.error_message();
  };
  EXPECT_EQ(said("/inference.GRPCInferenceService/Dance"),
            "this server has no call /inference.GRPCInferenceService/Dance");
  EXPECT_EQ(said("/inference.GRPCInferenceService/TraceSetting"), kNoTraces);
  EXPECT_EQ(said("/inference.GRPCInferenceService/LogSettings"), kNoLogSettings);
}

TEST_F(GrpcServerTest, MessagesAreBounded) {
  auto request = Request(true);
  request.set_raw_input_contents(0, std::string(2 << 20, 'x'));
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(request, &response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  // The bound holds for what a small message inflates to.
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  request.set_raw_input_contents(0, std::string(2 << 20, '\0'));
  EXPECT_EQ(stub_->ModelInfer(&context, request, &response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcServerTest, WorksOnNoMoreThanItMay) {
  options_.handler.max_concurrent = 1;
  Start();
  std::thread first = Occupy();
  ExpectError(Request(true), StatusCode::UNAVAILABLE, "as many requests as it may");
  session_->Block(false);
  first.join();
}

TEST_F(GrpcServerTest, ARequestThatHasWaitedLongerThanItsTimeoutIsNotComputed) {
  inference_.workers = 1;
  Start();
  std::thread first = Occupy();
  auto request = Request(true);
  (*request.mutable_parameters())["timeout"].set_int64_param(1);  // the way to a worker takes longer
  std::thread late([&] { ExpectError(request, StatusCode::UNAVAILABLE, "its timeout is 1 us"); });
  session_->Block(false);
  first.join();
  late.join();
  EXPECT_EQ(session_->runs, 1);
  (*request.mutable_parameters())["timeout"].set_string_param("soon");
  (*request.mutable_parameters())["priority"].set_int64_param(-1);
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "parameter 'timeout' is not a number of microseconds");
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "parameter 'priority' is not a level");
}

// A client that takes no more of its answers holds no thread, and after a while nothing else.
TEST_F(GrpcServerTest, AnswersThatAreNotTakenAreGivenUp) {
  inference_.send_timeout = std::chrono::milliseconds(100);
  Start();
  auto large = Request(true);  // answered with as much: less than the bound, more than a connection lets in unread
  constexpr int64_t kRows = 100'000;
  large.mutable_inputs(0)->set_shape(0, kRows);
  large.set_raw_input_contents(0, std::string(kRows * 2 * sizeof(float), '\0'));
  const size_t streams = 8;  // more than there are workers
  grpc::ClientContext contexts[streams];
  std::vector<
      std::unique_ptr<grpc::ClientReaderWriter<inference::ModelInferRequest, inference::ModelStreamInferResponse>>>
      unread;
  for (grpc::ClientContext& context : contexts) unread.push_back(stub_->ModelStreamInfer(&context));
  std::vector<std::thread> writers;  // of each stream, until a write waits for the server, which waits for a read
  for (auto& stream : unread) {
    writers.emplace_back([&stream, &large] {
      while (stream->Write(large)) {
      }
    });
  }
  while (session_->runs < static_cast<int>(streams)) std::this_thread::yield();
  inference::ModelInferResponse answer;
  EXPECT_TRUE(Infer(Request(true), &answer).ok()) << "others are answered meanwhile";
  for (std::thread& writer : writers) writer.join();  // as soon as the streams are cut
  for (auto& stream : unread) {
    inference::ModelStreamInferResponse response;
    while (stream->Read(&response)) {
    }
    EXPECT_FALSE(stream->Finish().ok());
  }
}

TEST_F(GrpcServerTest, HoldsNoMoreThanItMay) {
  inference_.max_calls = 1;
  inference_.max_buffered_bytes = 1 << 20;
  Start();
  std::thread first = Occupy();
  const int running = session_->runs;
  ExpectError(Request(true), StatusCode::UNAVAILABLE, "as many requests as it may");
  EXPECT_EQ(session_->runs, running);
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(health->Check(&context, {}, &response).ok()) << "probes are answered all the same";
  session_->Block(false);
  first.join();
  // It is given back once gRPC is done with the call, which may be after the client has its answer.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  inference::ModelInferResponse answer;
  bool given_back = false;
  while (!given_back && std::chrono::steady_clock::now() < deadline) given_back = Infer(Request(true), &answer).ok();
  EXPECT_TRUE(given_back) << "what was held was given back";
}

TEST_F(GrpcServerTest, StopFinishesWhatIsAtWork) {
  std::thread first = Occupy();
  std::thread stop([&] { grpc_->Stop(); });
  std::this_thread::yield();
  session_->Block(false);
  first.join();
  stop.join();
}

TEST_F(GrpcServerTest, ATakenPortIsTold) {
  GrpcServerOptions options;
  options.port = grpc_->port();
  const auto second = GrpcServer::Start(server_.get(), options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().kind(), ErrorKind::kRuntime);
  EXPECT_NE(second.status().message().find("cannot listen on 127.0.0.1 port"), std::string::npos);
}

}  // namespace
}  // namespace tamis
