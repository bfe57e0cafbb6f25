// Gives up calls whose answers their clients don't take: a client that lets no more in, but keeps its connection, would
// hold the answers' memory for ever.
#pragma once

#include <grpcpp/server_context.h>

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace tamis {

// Thread-safe.
class SendWatch {
 public:
  explicit SendWatch(std::chrono::milliseconds limit) : limit_(limit), thread_([this] { Watch(); }) {}
  ~SendWatch();
  SendWatch(const SendWatch&) = delete;
  SendWatch& operator=(const SendWatch&) = delete;

 private:
  struct Sending {
    grpc_call* call;  // a reference; nullptr once it is given up
    std::chrono::steady_clock::time_point until;
  };

 public:
  using Entry = std::list<Sending>::iterator;
  // An answer to the call begins to be sent. It must be ended before the watch goes.
  Entry Begin(const grpc::CallbackServerContext& context);
  void End(Entry entry);

 private:
  void Watch();

  const std::chrono::milliseconds limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Sending> sending_, given_up_;  // in the order of their ends
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace tamis
