#include "src/grpc/send_watch.h"

#include <grpc/grpc.h>

namespace tamis {

SendWatch::~SendWatch() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

SendWatch::Entry SendWatch::Begin(const grpc::CallbackServerContext& context) {
  grpc_call* call = const_cast<grpc::CallbackServerContext&>(context).c_call();
  grpc_call_ref(call);
  const std::lock_guard lock(mutex_);
  sending_.push_back({call, std::chrono::steady_clock::now() + limit_});
  if (sending_.size() == 1) wake_.notify_all();
  return std::prev(sending_.end());
}

void SendWatch::End(Entry entry) {
  grpc_call* call = nullptr;
  {
    const std::lock_guard lock(mutex_);
    call = entry->call;
    (call != nullptr ? sending_ : given_up_).erase(entry);
  }
  if (call != nullptr) grpc_call_unref(call);
}

void SendWatch::Watch() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    if (sending_.empty()) {
      wake_.wait(lock);
    } else if (const auto until = sending_.front().until; until > std::chrono::steady_clock::now()) {
      wake_.wait_until(lock, until);
    } else {
      given_up_.splice(given_up_.end(), sending_, sending_.begin());
      grpc_call* call = std::exchange(given_up_.back().call, nullptr);
      lock.unlock();  // what follows may run the call's last reaction, which ends its entry
      grpc_call_cancel_with_status(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the answer was not taken in time", nullptr);
      grpc_call_unref(call);
      lock.lock();
    }
  }
}

}  // namespace tamis
