#include "src/tuner/worker.h"

int main() {
  return tamis::TuneWorkerMain();
}
