#include "src/server/batching/batching_session.h"

#include <gtest/gtest.h>

#include <thread>

namespace tamis {
namespace {

// y = 2 x of [n, k]; says how many rows its runs had. Waits while blocked, and refuses more rows than `limit`.
class Doubler : public Session {
 public:
  explicit Doubler(std::vector<TensorSpec> inputs = {{"x", DType::kFloat32, {-1, -1}, {"n", "k"}}})
      : inputs_(std::move(inputs)), outputs_({{"y", DType::kFloat32, {-1, -1}, {"n", "k"}}}) {}

  const std::string& name() const override { return name_; }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  Result<NamedTensors> Run(const NamedTensors& inputs) override {
    const auto found = inputs.find("x");
    if (found == inputs.end()) return UserError("x is missing");
    const Tensor& x = found->second;
    {
      std::unique_lock lock(mutex);
      rows.push_back(x.dim(0));
      at_once = std::max(at_once, ++running);
      changed.notify_all();
      changed.wait(lock, [this] { return !blocked; });
      --running;
    }
    if (x.dim(0) > limit) return UserError("{} rows are too many", x.dim(0));
    Tensor y(DType::kFloat32, x.dims());
    for (int64_t i = 0; i < y.NumElements(); ++i) y.Data<float>()[i] = 2 * x.Data<float>()[i];
    return NamedTensors{{"y", y}};
  }
  Result<std::vector<NodeTime>> Profile(const NamedTensors&, int) override { return std::vector<NodeTime>(); }
  const std::vector<std::string>& notices() const override { return notices_; }

  void Block(bool value) {
    const std::lock_guard lock(mutex);
    blocked = value;
    changed.notify_all();
  }
  void AwaitRuns(size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return rows.size() >= count; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool blocked = false;
  int running = 0, at_once = 0;
  int64_t limit = 1 << 20;
  std::vector<int64_t> rows;

 private:
  std::string name_ = "doubler";
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::string> notices_;
};

Tensor Numbers(int64_t rows, int64_t columns, float first) {
  Tensor x(DType::kFloat32, {rows, columns});
  for (int64_t i = 0; i < x.NumElements(); ++i) x.Data<float>()[i] = first + static_cast<float>(i);
  return x;
}

// Requests from threads of their own, whose answers must be theirs.
class Clients {
 public:
  explicit Clients(BatchingSession& session) : session_(session) {}
  ~Clients() { Join(); }
  void Ask(int64_t rows, int64_t columns, float first) {
    threads_.emplace_back([=, this] {
      const Tensor x = Numbers(rows, columns, first);
      const auto result = session_.Run({{"x", x}});
      ASSERT_TRUE(result.ok()) << result.status().message();
      const Tensor& y = result->at("y");
      ASSERT_EQ(y.dims(), x.dims());
      for (int64_t i = 0; i < x.NumElements(); ++i) ASSERT_EQ(y.Data<float>()[i], 2 * x.Data<float>()[i]);
    });
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  BatchingSession& session_;
  std::vector<std::thread> threads_;
};

void AwaitWaiting(const BatchingSession& session, size_t count) {
  while (session.waiting() < count) std::this_thread::yield();
}

TEST(BatchingSession, ComputesTogetherWhatArrivedMeanwhile) {
  const auto inner = std::make_shared<Doubler>();
  BatchingSession session(inner, {.max_rows = 8, .concurrent = 1});
  inner->Block(true);
  Clients clients(session);
  clients.Ask(1, 3, 100);  // alone: nobody else is there
  inner->AwaitRuns(1);
  for (int i = 0; i < 7; ++i) clients.Ask(1, 3, static_cast<float>(10 * i));
  AwaitWaiting(session, 7);
  inner->Block(false);
  clients.Join();
  // Powers of two only.
  EXPECT_EQ(inner->rows, (std::vector<int64_t>{1, 4, 2, 1}));
  EXPECT_EQ(inner->at_once, 1);
}

TEST(BatchingSession, KeepsShapesApartAndRowsBounded) {
  const auto inner = std::make_shared<Doubler>();
  BatchingSession session(inner, {.max_rows = 4, .concurrent = 1});
  inner->Block(true);
  Clients clients(session);
  clients.Ask(3, 2, 0);
  inner->AwaitRuns(1);
  for (size_t i = 0; i < 6; ++i) {  // in this order
    clients.Ask(i == 3 ? 16 : 2, i < 3 ? 5 : 7, static_cast<float>(i));
    AwaitWaiting(session, i + 1);
  }
  inner->Block(false);
  clients.Join();
  // Two of five columns, the third one; a request above the bound on its own; two of seven.
  EXPECT_EQ(inner->rows, (std::vector<int64_t>{3, 4, 2, 16, 4}));
}

TEST(BatchingSession, LearnsWhatTheSessionRefuses) {
  const auto inner = std::make_shared<Doubler>();
  inner->limit = 2;
  BatchingSession session(inner, {.max_rows = 8, .concurrent = 1});
  for (int turn = 0; turn < 3; ++turn) {
    inner->Block(true);
    Clients clients(session);
    const size_t before = inner->rows.size();
    clients.Ask(1, 3, 0);
    inner->AwaitRuns(before + 1);
    for (int i = 0; i < 4; ++i) clients.Ask(1, 3, static_cast<float>(i));
    AwaitWaiting(session, 4);
    inner->Block(false);
    clients.Join();
  }
  // Four at once are refused and computed one by one; from then on two by two.
  EXPECT_EQ(inner->rows, (std::vector<int64_t>{1, 4, 1, 1, 1, 1, 1, 2, 2, 1, 2, 2}));
}

TEST(BatchingSession, RunsSeveralAtOnceAndAnswersEveryone) {
  const auto inner = std::make_shared<Doubler>();
  BatchingSession session(inner, {.max_rows = 16, .concurrent = 2});
  for (int turn = 0; turn < 20; ++turn) {
    Clients clients(session);
    for (int i = 0; i < 12; ++i) clients.Ask(1 + i % 3, 4 + i % 2, static_cast<float>(i));
  }
  EXPECT_LE(inner->at_once, 2);
}

TEST(BatchingSession, GivesTheSessionsErrors) {
  const auto inner = std::make_shared<Doubler>();
  BatchingSession session(inner, {});
  const auto missing = session.Run({});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().message(), "x is missing");
}

TEST(CanBatch, NamesWhatIsInTheWay) {
  const auto reason = [](TensorSpec spec) {
    const Status status = CanBatch(Doubler({std::move(spec)}));
    return status.ok() ? "" : status.message();
  };
  EXPECT_EQ(reason({"x", DType::kFloat32, {-1, 3}, {"n", ""}}), "");
  EXPECT_NE(reason({"x", DType::kFloat32, {1, 3}, {"", ""}}), "");
  EXPECT_NE(reason({"x", DType::kFloat32, {-1, 3}, {"m", ""}}), "");
  EXPECT_NE(reason({"x", DType::kFloat32, {-1, -1}, {"n", "n"}}), "");
  EXPECT_NE(reason({"x", DType::kString, {-1, 3}, {"n", ""}}), "");
  EXPECT_NE(reason({"x", DType::kFloat32, {}, {}}), "");
}

}  // namespace
}  // namespace tamis
