// Stands in for libcuda.so.1 of a driver that is older than the backend's CUDA.
extern "C" {
#pragma GCC visibility push(default)

int cuDriverGetVersion(int* version) {
  *version = 11040;
  return 0;
}

int cuInit(unsigned) {
  return 0;
}

#pragma GCC visibility pop
}  // extern "C"
