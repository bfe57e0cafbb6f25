/* The C interface of libtamis_cuda.so, which Tamis loads when a machine has an NVIDIA driver.
 *
 * The host program links nothing of CUDA: it finds `tamis_cuda_api` in the library and calls through the table that it
 * returns. Structures that either side may extend start with their size; fields are only ever appended, and a change
 * that can't be expressed so raises TAMIS_CUDA_API_VERSION. Functions return 0 or the kind of the error (1 the user's,
 * 2 the machine's, 3 ours) and then describe it in `error`. All functions may be called from any thread; one stream,
 * one kernel's destruction and one capture belong to one thread at a time.
 */
#ifndef TAMIS_SRC_CUDA_API_H_
#define TAMIS_SRC_CUDA_API_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAMIS_CUDA_API_VERSION 1u
#define TAMIS_CUDA_API_SYMBOL "tamis_cuda_api"

typedef struct TamisCudaDevice TamisCudaDevice;
typedef struct TamisCudaStream TamisCudaStream;
typedef struct TamisCudaGraph TamisCudaGraph;
typedef struct TamisCudaEvent TamisCudaEvent;
typedef struct TamisCudaKernel TamisCudaKernel;
typedef struct TamisCudaConstant TamisCudaConstant;

/* How the message of an error begins that wants memory of the device which there isn't. */
#define TAMIS_CUDA_NO_MEMORY "not enough GPU memory"

typedef struct TamisCudaError {
  uint32_t size;
  int32_t kind;
  char message[2000];
} TamisCudaError;

typedef struct TamisCudaDeviceInfo {
  uint32_t size;
  int32_t ordinal;
  char name[256];
  char pci_bus_id[32];
  int32_t compute_major, compute_minor;
  int32_t multiprocessors;
  int32_t driver_version, runtime_version; /* as CUDA counts: 13000 is 13.0 */
  uint64_t memory_bytes, l2_bytes;
  char libraries[512]; /* unused: finding out loads them; see `libraries` below */
} TamisCudaDeviceInfo;

typedef struct TamisCudaOperand {
  int32_t dtype; /* ONNX number; 0: omitted */
  int32_t pattern;
  uint32_t rank;
  uint32_t reserved;
  const int64_t* dims;
  const void* constant; /* host memory, or null */
  uint64_t constant_hash;
} TamisCudaOperand;

enum {
  TAMIS_CUDA_INT = 0,
  TAMIS_CUDA_FLOAT = 1,
  TAMIS_CUDA_TEXT = 2,
  TAMIS_CUDA_INTS = 3,
  TAMIS_CUDA_FLOATS = 4,
  TAMIS_CUDA_LINES = 5
};

typedef struct TamisCudaAttribute {
  const char* key;
  int32_t kind;
  float f;
  int64_t i;
  const char* text; /* of a list of strings: one a line */
  const int64_t* ints;
  const float* floats;
  uint64_t count; /* of ints or floats */
} TamisCudaAttribute;

/* One node with concrete dimensions. Everything is copied by the callee; constants must stay readable until a kernel
 * prepared from the problem is destroyed. */
typedef struct TamisCudaProblem {
  uint32_t size;
  uint32_t attribute_count, input_count, output_count;
  const char* op;
  const char* domain;
  const TamisCudaAttribute* attributes;
  const TamisCudaOperand* inputs;
  const TamisCudaOperand* outputs;
} TamisCudaProblem;

/* One kernel that names the operator: how many variants can compute the problem, or, with 0 variants, why none can.
 * The variants of kernel "k" are called "k/0", "k/1", ... */
typedef void (*TamisCudaCandidateFn)(void* context, const char* kernel, int32_t variants, const char* reason);

typedef struct TamisCudaKernelFacts {
  uint32_t size;
  uint32_t reserved;
  uint64_t workspace_bytes;
  uint64_t packed_inputs; /* bit i: input i is held by the kernel; null is passed for it */
} TamisCudaKernelFacts;

enum { TAMIS_CUDA_TO_DEVICE = 0, TAMIS_CUDA_TO_HOST = 1, TAMIS_CUDA_ON_DEVICE = 2 };

typedef struct TamisCudaApi {
  uint32_t size;
  uint32_t version;

  int (*device_count)(int32_t* count, TamisCudaError* error);
  /* Opening a device makes its context; a device is opened once a process and shared, closing counts down. */
  int (*open_device)(int32_t ordinal, TamisCudaDevice** device, TamisCudaError* error);
  void (*close_device)(TamisCudaDevice* device);
  int (*describe_device)(TamisCudaDevice* device, TamisCudaDeviceInfo* info, TamisCudaError* error);

  int (*memory_info)(TamisCudaDevice* device, uint64_t* free_bytes, uint64_t* total_bytes, TamisCudaError* error);
  int (*allocate)(TamisCudaDevice* device, uint64_t bytes, void** address, TamisCudaError* error);
  void (*release)(TamisCudaDevice* device, void* address);
  int (*allocate_pinned)(TamisCudaDevice* device, uint64_t bytes, void** address, TamisCudaError* error);
  void (*release_pinned)(TamisCudaDevice* device, void* address);

  int (*create_stream)(TamisCudaDevice* device, TamisCudaStream** stream, TamisCudaError* error);
  void (*destroy_stream)(TamisCudaStream* stream);
  int (*synchronize)(TamisCudaStream* stream, TamisCudaError* error);
  int (*copy)(TamisCudaStream* stream, void* to, const void* from, uint64_t bytes, int32_t direction,
              TamisCudaError* error);
  int (*fill)(TamisCudaStream* stream, void* to, int32_t byte, uint64_t bytes, TamisCudaError* error);

  /* Between the two, what is enqueued on the stream is recorded instead of run. */
  int (*begin_capture)(TamisCudaStream* stream, TamisCudaError* error);
  int (*end_capture)(TamisCudaStream* stream, TamisCudaGraph** graph, TamisCudaError* error);
  int (*launch_graph)(TamisCudaStream* stream, TamisCudaGraph* graph, TamisCudaError* error);
  void (*destroy_graph)(TamisCudaGraph* graph);

  int (*create_event)(TamisCudaDevice* device, TamisCudaEvent** event, TamisCudaError* error);
  void (*destroy_event)(TamisCudaEvent* event);
  int (*record_event)(TamisCudaStream* stream, TamisCudaEvent* event, TamisCudaError* error);
  /* Waits for both. */
  int (*elapsed_seconds)(TamisCudaEvent* begin, TamisCudaEvent* end, double* seconds, TamisCudaError* error);

  /* Best by default first. */
  int (*candidates)(TamisCudaDevice* device, const TamisCudaProblem* problem, TamisCudaCandidateFn visit, void* context,
                    TamisCudaError* error);
  int (*prepare)(TamisCudaDevice* device, const TamisCudaProblem* problem, const char* variant,
                 TamisCudaKernel** kernel, TamisCudaError* error);
  void (*describe_kernel)(const TamisCudaKernel* kernel, TamisCudaKernelFacts* facts);
  /* Never waits for the device, may be captured, may run on several streams at once with different buffers. */
  int (*enqueue)(const TamisCudaKernel* kernel, TamisCudaStream* stream, const void* const* inputs,
                 void* const* outputs, void* workspace, TamisCudaError* error);
  void (*destroy_kernel)(TamisCudaKernel* kernel);

  /* A constant's bytes on the device, shared by all that hold the same hash (not 0). */
  int (*hold_constant)(TamisCudaDevice* device, uint64_t hash, const void* bytes, uint64_t count,
                       TamisCudaConstant** constant, TamisCudaError* error);
  const void* (*constant_address)(const TamisCudaConstant* constant);
  void (*drop_constant)(TamisCudaConstant* constant);

  /* Versions of cuBLASLt and cuDNN, or why one is missing. Loads both, which takes a good part of a second. */
  int (*libraries)(TamisCudaDevice* device, char* text, uint64_t size, TamisCudaError* error);

  /* What is enqueued on `stream` from now on waits for what has been enqueued on a stream of the caller's, given by
   * CUDA's handle (1: the legacy default stream, 2: the calling thread's); or the other way round. The calling thread
   * waits for nothing. */
  int (*wait_for_native)(TamisCudaStream* stream, uint64_t native, TamisCudaError* error);
  int (*let_native_wait)(TamisCudaStream* stream, uint64_t native, TamisCudaError* error);
} TamisCudaApi;

/* The one symbol of the library. Null if it does not know the version. */
typedef const TamisCudaApi* (*TamisCudaApiFn)(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif /* TAMIS_SRC_CUDA_API_H_ */
