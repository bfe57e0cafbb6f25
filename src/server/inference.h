// What is done with a request whichever protocol it came by: admitted, counted, computed, watched.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "src/server/metrics.h"
#include "src/server/protocol/infer_request.h"
#include "src/server/repository.h"

namespace tamis {

// Bounds how many inferences are worked on at once, over all protocols.
class Admission {
 public:
  explicit Admission(int limit) : limit_(limit) {}

  // A place for as long as it lives, if there was one.
  class Place {
   public:
    explicit Place(Admission* admission)
        : admission_(*admission), got_(admission_.used_.fetch_add(1) < admission_.limit_) {}
    ~Place() { admission_.used_.fetch_sub(1); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool got() const { return got_; }

   private:
    Admission& admission_;
    bool got_;
  };

 private:
  const int limit_;
  std::atomic<int> used_{0};
};

// Counts one inference from its arrival to the record's end; its queue ends where the record begins. The outcome's code
// is 500 unless it is set: it stands if an exception leaves.
class InferenceRecord {
 public:
  InferenceRecord(Metrics* metrics, const ModelVersion& model, std::chrono::steady_clock::time_point arrived);
  ~InferenceRecord();
  InferenceRecord(const InferenceRecord&) = delete;
  InferenceRecord& operator=(const InferenceRecord&) = delete;

  Metrics::Outcome outcome;

 private:
  Metrics& metrics_;
  const ModelVersion& model_;
  const std::chrono::steady_clock::time_point start_;
};

// What to say if a request's timeout has passed before it is computed, as its outcome tells so far.
std::optional<std::string> TooLate(const InferRequest& request, const Metrics::Outcome& outcome);

double SecondsSince(std::chrono::steady_clock::time_point start);

// Computes a request to a model that is ready. All outputs that it asks for are in the result. Sets what the outcome
// tells of the request and of computing.
Result<NamedTensors> ComputeInference(const ModelVersion& model, const InferRequest& request,
                                      Metrics::Outcome* outcome);

}  // namespace tamis
