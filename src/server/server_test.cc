// The whole server over sockets on the loopback interface.
#include "src/server/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <future>

#include "src/server/fake_session.h"

namespace tamis {
namespace {

// A blocking client that speaks bytes.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    const timeval limit{20, 0};  // a test that waits longer has failed
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Client() { close(fd_); }
  bool connected() const { return connected_; }
  void Send(const std::string& bytes) { (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void EndSending() { shutdown(fd_, SHUT_WR); }
  // One response: headers, and as many bytes as Content-Length says.
  std::string Receive() {
    while (buffer_.find("\r\n\r\n") == std::string::npos) {
      if (!More()) return std::exchange(buffer_, {});
    }
    const size_t head = buffer_.find("\r\n\r\n") + 4;
    const size_t at = buffer_.find("\r\nContent-Length: ");
    const size_t body = at < head ? std::stoul(buffer_.substr(at + 18)) : 0;
    while (buffer_.size() < head + body) {
      if (!More()) break;
    }
    std::string response = buffer_.substr(0, head + body);
    buffer_.erase(0, head + body);
    return response;
  }
  bool ClosedByServer() {
    while (More()) {
    }
    return closed_;
  }

 private:
  bool More() {
    char block[4096];
    const ssize_t got = recv(fd_, block, sizeof(block), 0);
    closed_ = got == 0 || (got < 0 && errno == ECONNRESET);
    if (got > 0) buffer_.append(block, static_cast<size_t>(got));
    return got > 0;
  }
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  std::string buffer_;
};

std::string RequestOf(const std::string& body, const std::string& more_headers = "") {
  return "POST /v2/models/server_test/infer HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + more_headers + "\r\n" + body;
}

constexpr char kBody[] = R"({"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2]},)"
                         R"({"name":"b","datatype":"INT64","shape":[1],"data":[3]}]})";
constexpr char kLive[] = "GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n";

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "server_test.tamis";
    std::ofstream(path_) << "x";
    options_.path = path_;
    options_.http.port = 0;
    options_.http.workers = 2;
    options_.http.max_body_bytes = 1 << 20;
    options_.load = [this](const std::string&) { return Result<std::shared_ptr<Session>>(session_); };
  }
  void TearDown() override {
    session_->Block(false);
    std::remove(path_.c_str());
  }
  void Start() {
    auto started = Server::Start(options_);
    ASSERT_TRUE(started.ok()) << started.status().message();
    server_ = std::move(*started);
  }
  void WaitForRuns(int runs) {
    while (session_->runs < runs) usleep(1000);
  }

  std::string path_;
  ServerOptions options_;
  std::shared_ptr<testing::FakeSession> session_ = testing::MakeFakeSession();
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, KeepsAConnectionForManyRequests) {
  Start();
  Client client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.Send(RequestOf(kBody));
    const std::string response = client.Receive();
    EXPECT_EQ(response.rfind("HTTP/1.1 200", 0), 0u) << response;
    EXPECT_NE(response.find(R"("data":[1,2])"), std::string::npos) << response;
  }
  client.Send("GET /v2/health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Receive().rfind("HTTP/1.1 200", 0), 0u);
  EXPECT_TRUE(client.ClosedByServer());
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  Client client(server_->port());
  client.Send(RequestOf(kBody) + kLive + RequestOf("{") + kLive);
  for (const char* expected : {"model_name", "live", "error", "live"}) {
    const std::string response = client.Receive();
    EXPECT_NE(response.find(expected), std::string::npos) << response;
  }
}

TEST_F(ServerTest, TakesChunksOfOneByte) {
  Start();
  Client client(server_->port());
  std::string request = "POST /v2/models/server_test/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* c = kBody; *c != 0; ++c) request += std::string("1;x=y\r\n") + *c + "\r\n";
  client.Send(request + "0\r\n\r\n");
  EXPECT_NE(client.Receive().find("model_name"), std::string::npos);
}

// Binary tensors of many sizes, JSON of many lengths, in pieces, over connections of several threads: the second body
// of a connection goes where the first one was, or elsewhere if it is larger.
TEST_F(ServerTest, ReceivesBodiesWhereTheirTensorsLie) {
  options_.http.io_threads = 3;
  Start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(std::make_unique<Client>(server_->port()));
  for (const int64_t rows : {1, 1000, 7, 40000, 3}) {
    for (size_t i = 0; i < clients.size(); ++i) {
      std::vector<float> a(static_cast<size_t>(rows) * 2);
      for (size_t j = 0; j < a.size(); ++j) a[j] = static_cast<float>(j + i);
      const std::string bytes(reinterpret_cast<const char*>(a.data()), a.size() * sizeof(float));
      const std::string b(8, '\x01');
      const std::string json = R"({"id":")" + std::string(i * 13, 'x') +
                               R"(","inputs":[{"name":"a","datatype":"FP32",)" + R"("shape":[)" + std::to_string(rows) +
                               R"(,2],"parameters":{"binary_data_size":)" + std::to_string(bytes.size()) +
                               R"(}},{"name":"b","datatype":"INT64","shape":[1],)" +
                               R"("parameters":{"binary_data_size":8}}],"outputs":[{"name":"y_a",)" +
                               R"("parameters":{"binary_data":true}}]})";
      const std::string request =
          RequestOf(json + bytes + b, "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n");
      const size_t piece = request.size() / (i + 1) + 1;
      for (size_t at = 0; at < request.size(); at += piece) clients[i]->Send(request.substr(at, piece));
      const std::string response = clients[i]->Receive();
      ASSERT_EQ(response.rfind("HTTP/1.1 200", 0), 0u) << response.substr(0, 300);
      ASSERT_GT(response.size(), bytes.size());
      EXPECT_TRUE(response.ends_with(bytes)) << rows << " rows, client " << i;
    }
  }
}

TEST_F(ServerTest, ContinuesWhenAsked) {
  Start();
  Client client(server_->port());
  const std::string request = RequestOf(kBody, "Expect: 100-continue\r\n");
  const size_t head = request.find("\r\n\r\n") + 4;
  client.Send(request.substr(0, head));
  EXPECT_EQ(client.Receive().rfind("HTTP/1.1 100", 0), 0u);
  client.Send(request.substr(head));
  EXPECT_EQ(client.Receive().rfind("HTTP/1.1 200", 0), 0u);
  Client large(server_->port());
  large.Send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(large.Receive().rfind("HTTP/1.1 413", 0), 0u);
}

TEST_F(ServerTest, RefusesWhatIsNotHttp) {
  Start();
  const std::pair<const char*, std::string> cases[] = {
      {"400", "hello\r\n\r\n"},
      {"400", "GET / HTTP/1.1\r\nbad header\r\n\r\n"},
      {"400", "POST /v2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
      {"400", "POST /v2 HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"400", "POST /v2 HTTP/1.1\r\nContent-Length: -5\r\n\r\n"},
      {"400", "POST /v2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {"431", "GET / HTTP/1.1\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n"},
      {"413", "POST /v2 HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n" + std::string(1048577, 'x')},
      {"417", "POST /v2 HTTP/1.1\r\nContent-Length: 1\r\nExpect: miracles\r\n\r\n"},
  };
  for (const auto& [code, bytes] : cases) {
    Client client(server_->port());
    client.Send(bytes);
    const std::string response = client.Receive();
    EXPECT_EQ(response.rfind(std::string("HTTP/1.1 ") + code, 0), 0u) << bytes.substr(0, 80) << "\n" << response;
    EXPECT_NE(response.find("\"error\""), std::string::npos);
  }
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  Start();
  Client client(server_->port());
  client.Send("HEAD /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string response = client.Receive();
  EXPECT_EQ(response.rfind("HTTP/1.1 200", 0), 0u) << response;
  EXPECT_NE(response.find("Content-Length: 13"), std::string::npos) << response;
  EXPECT_EQ(response.substr(response.size() - 4), "\r\n\r\n") << response;
}

TEST_F(ServerTest, CutsSlowClients) {
  options_.http.idle_timeout = std::chrono::milliseconds(100);
  options_.http.body_timeout = std::chrono::milliseconds(100);
  Start();
  Client silent(server_->port()), slow_header(server_->port()), slow_body(server_->port());
  slow_header.Send("GET /v2/health/live HT");
  slow_body.Send("POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12");
  EXPECT_TRUE(silent.ClosedByServer());
  EXPECT_TRUE(slow_header.ClosedByServer());
  EXPECT_TRUE(slow_body.ClosedByServer());
  Client next(server_->port());
  next.Send(kLive);
  EXPECT_EQ(next.Receive().rfind("HTTP/1.1 200", 0), 0u);
}

// Memory counts as it fills: what clients only announce, or send slowly, keeps nobody out.
TEST_F(ServerTest, AnnouncedBodiesTakeNoMemory) {
  options_.http.max_buffered_bytes = 2 << 20;
  Start();
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 16; ++i) {
    slow.push_back(std::make_unique<Client>(server_->port()));
    slow.back()->Send(i % 2 == 0 ? "POST /v2 HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n12"
                                 : "POST /v2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n");
  }
  Client client(server_->port());
  client.Send(RequestOf(kBody));
  EXPECT_EQ(client.Receive().rfind("HTTP/1.1 200", 0), 0u);
}

// Those that are sent but for the last byte do, up to a bound; small requests still find room beyond it.
TEST_F(ServerTest, LargeBodiesLeaveRoomForSmallOnes) {
  options_.http.max_buffered_bytes = 2 << 20;
  Start();
  const std::string most(1048575, 'x');
  Client held(server_->port()), announced(server_->port()), chunked(server_->port());
  held.Send("POST /v2 HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n" + most);
  Client probe(server_->port());
  for (int i = 0; i < 3; ++i) {  // as many turns of the input and output thread, so that `held` has been read
    probe.Send(kLive);
    EXPECT_EQ(probe.Receive().rfind("HTTP/1.1 200", 0), 0u);
  }
  announced.Send("POST /v2 HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n" + most);
  EXPECT_EQ(announced.Receive().rfind("HTTP/1.1 503", 0), 0u);
  chunked.Send("POST /v2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + most + "\r\n");
  EXPECT_EQ(chunked.Receive().rfind("HTTP/1.1 503", 0), 0u);
  probe.Send(RequestOf(kBody));
  EXPECT_EQ(probe.Receive().rfind("HTTP/1.1 200", 0), 0u);
  held.Send("x");
  EXPECT_EQ(held.Receive().rfind("HTTP/1.1 405", 0), 0u) << "what was held before is answered";
}

// A client that writes all of its request before it reads has its answer, not a connection that was reset.
TEST_F(ServerTest, ARefusalReachesAClientThatStillSends) {
  Start();
  for (int i = 0; i < 5; ++i) {
    Client client(server_->port());
    client.Send("POST /v2 HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n");
    for (int part = 0; part < 9; ++part) client.Send(std::string(1000000, 'x'));
    EXPECT_EQ(client.Receive().rfind("HTTP/1.1 413", 0), 0u);
  }
}

TEST_F(ServerTest, WaitingForAWorkerIsTold) {
  options_.http.workers = 1;
  Start();
  session_->Block(true);
  Client first(server_->port()), second(server_->port());
  first.Send(RequestOf(kBody));
  WaitForRuns(1);
  second.Send(RequestOf(kBody));
  usleep(20'000);  // the longer, the more it waits
  session_->Block(false);
  (void)first.Receive();
  (void)second.Receive();
  const Metrics::Totals totals = server_->metrics().TotalsOf("server_test", "1");
  EXPECT_GT(totals.queue_seconds, 0);
  EXPECT_LE(totals.queue_seconds + totals.compute_seconds, totals.succeeded_seconds);
}

TEST_F(ServerTest, WhatNobodyWaitsForIsNotComputed) {
  options_.http.workers = 1;
  options_.http.io_threads = 1;
  Start();
  session_->Block(true);
  Client first(server_->port()), third(server_->port());
  first.Send(RequestOf(kBody));
  WaitForRuns(1);
  {
    Client second(server_->port());
    second.Send(RequestOf(kBody));
    second.EndSending();
    for (int i = 0; i < 3; ++i) {  // as many turns of the input and output thread, so that it has seen both
      Client turn(server_->port());
      turn.Send("no request\r\n\r\n");
      EXPECT_EQ(turn.Receive().rfind("HTTP/1.1 400", 0), 0U);
    }
    third.Send(RequestOf(kBody));
    session_->Block(false);
    EXPECT_EQ(second.Receive().rfind("HTTP/1.1 499", 0), 0U);  // it may still listen
  }
  EXPECT_EQ(first.Receive().rfind("HTTP/1.1 200", 0), 0U);
  EXPECT_EQ(third.Receive().rfind("HTTP/1.1 200", 0), 0U);
  EXPECT_EQ(session_->runs, 2);
}

TEST_F(ServerTest, LimitsConnections) {
  options_.http.max_connections = 1;
  Start();
  Client first(server_->port());
  first.Send(kLive);
  EXPECT_EQ(first.Receive().rfind("HTTP/1.1 200", 0), 0u);
  Client second(server_->port());
  EXPECT_TRUE(second.ClosedByServer());
  first.Send(kLive);
  EXPECT_EQ(first.Receive().rfind("HTTP/1.1 200", 0), 0u);
}

TEST_F(ServerTest, FinishesRequestsOnStop) {
  Start();
  session_->Block(true);
  Client idle(server_->port()), working(server_->port());
  idle.Send(kLive);
  (void)idle.Receive();
  working.Send(RequestOf(kBody));
  WaitForRuns(1);
  const int port = server_->port();
  server_->Stop();
  EXPECT_TRUE(idle.ClosedByServer());
  EXPECT_FALSE(Client(port).connected());
  auto stopped = std::async(std::launch::async, [this] { server_->Wait(); });
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  session_->Block(false);
  const std::string response = working.Receive();
  EXPECT_EQ(response.rfind("HTTP/1.1 200", 0), 0u) << response;
  EXPECT_NE(response.find("Connection: close"), std::string::npos) << response;
  stopped.get();
  EXPECT_EQ(server_->cut_off(), 0U);
}

TEST_F(ServerTest, CutsWhatOutlivesTheDrain) {
  options_.http.drain_timeout = std::chrono::milliseconds(50);
  Start();
  Client half(server_->port());
  half.Send("POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12");
  Client probe(server_->port());  // answered after the half request was read
  probe.Send(kLive);
  (void)probe.Receive();
  server_->Stop();
  EXPECT_TRUE(half.ClosedByServer());
  server_->Wait();
  EXPECT_EQ(server_->cut_off(), 1U);
}

TEST_F(ServerTest, SaysThatThePortIsTaken) {
  Start();
  options_.http.port = server_->port();
  const auto second = Server::Start(options_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().kind(), ErrorKind::kRuntime);
  EXPECT_NE(second.status().message().find("port " + std::to_string(server_->port())), std::string::npos);
  options_.http.host = "not an address";
  EXPECT_FALSE(Server::Start(options_).ok());
}

}  // namespace
}  // namespace tamis
