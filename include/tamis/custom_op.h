/*
 * Operators of your own, as a shared library.
 *
 * A library exports one function, tamis_custom_ops, which returns a list of operators. Put the library into a folder
 * and name the folder with --custom-ops DIR or TAMIS_CUSTOM_OPS=DIR; every *.so in it is loaded by the importer and by
 * the runtime. examples/custom_op is a complete one.
 *
 * This is plain C99. Every struct begins with its size, set by whoever fills it: a newer Tamis knows an older library's
 * structs by their size and takes the missing fields as zero; an older Tamis ignores fields that it does not know.
 * Fields are only ever added at the end. Strings are UTF-8 and end with a zero byte. Nothing that Tamis hands over
 * outlives the callback; what the library hands over must live as long as the process.
 *
 * Callbacks return 0, or anything else after host->set_error has said why. They must be pure: equal inputs give equal
 * outputs (a node whose inputs are all constants is computed once, when the network is built), and several threads may
 * call them at once.
 */
#ifndef TAMIS_CUSTOM_OP_H_
#define TAMIS_CUSTOM_OP_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised only when old libraries can't work any more. */
#define TAMIS_CUSTOM_OP_ABI 1

#if defined(_WIN32)
#define TAMIS_CUSTOM_OP_EXPORT __declspec(dllexport)
#else
#define TAMIS_CUSTOM_OP_EXPORT __attribute__((visibility("default")))
#endif

/* Element types have ONNX's numbers (TensorProto.DataType). Strings are not handed to custom operators. */
enum {
  TAMIS_FLOAT32 = 1,
  TAMIS_UINT8 = 2,
  TAMIS_INT8 = 3,
  TAMIS_UINT16 = 4,
  TAMIS_INT16 = 5,
  TAMIS_INT32 = 6,
  TAMIS_INT64 = 7,
  TAMIS_BOOL = 9,
  TAMIS_FLOAT16 = 10,
  TAMIS_FLOAT64 = 11,
  TAMIS_UINT32 = 12,
  TAMIS_UINT64 = 13,
  TAMIS_BFLOAT16 = 16
};

/* A dimension that is not known: of an input whose size depends on the request, of an output whose size depends on
 * data. */
#define TAMIS_DIM_UNKNOWN ((int64_t)-1)
/* For set_output: whatever dimension `axis` of input `input` is. Keeps a dynamic dimension connected to the request. */
#define TAMIS_DIM_OF(input, axis) ((int64_t)(-2 - ((int64_t)(input)*64 + (int64_t)(axis))))

/* One call of a callback. */
typedef struct TamisOpContext TamisOpContext;

typedef struct TamisTensor {
  uint32_t struct_size;
  int32_t dtype; /* 0: not known */
  int32_t rank;  /* -1: not known */
  int32_t reserved;
  const int64_t* dims; /* `rank` of them, row-major */
  void* data;          /* of an output: to be written. In `infer`: NULL unless the input is constant */
  size_t bytes;        /* of data */
} TamisTensor;

/* What a callback may ask. Functions that return int return 0, or 1 if there is no such thing. */
typedef struct TamisHost {
  uint32_t struct_size;
  uint32_t abi;
  void (*set_error)(TamisOpContext* context, const char* message);
  size_t (*input_count)(const TamisOpContext* context);
  size_t (*output_count)(const TamisOpContext* context);
  /* Set tensor->struct_size first. 1 also for an input that the network leaves out. */
  int (*input)(const TamisOpContext* context, size_t index, TamisTensor* tensor);
  int (*output)(TamisOpContext* context, size_t index, TamisTensor* tensor); /* in `compute` only */
  /* In `infer` only. rank -1: not known. */
  int (*set_output)(TamisOpContext* context, size_t index, int32_t dtype, int32_t rank, const int64_t* dims);
  int (*attribute_int)(const TamisOpContext* context, const char* name, int64_t* value);
  int (*attribute_float)(const TamisOpContext* context, const char* name, float* value);
  int (*attribute_string)(const TamisOpContext* context, const char* name, const char** text, size_t* length);
  int (*attribute_ints)(const TamisOpContext* context, const char* name, const int64_t** values, size_t* count);
  int (*attribute_floats)(const TamisOpContext* context, const char* name, const float** values, size_t* count);
} TamisHost;

typedef struct TamisCustomOp {
  uint32_t struct_size;
  int32_t since_opset; /* the oldest version of the domain that it understands */
  const char* name;    /* as the network names it */
  const char* domain;  /* one of your own, "com.example" */
  size_t min_inputs, max_inputs;
  size_t outputs;
  /* Sets type and shape of every output by set_output. Called when a network is imported, with what is known then, and
     again for each new set of input shapes. */
  int (*infer)(const TamisHost* host, TamisOpContext* context);
  /* Writes every output. Inputs never overlap outputs. */
  int (*compute)(const TamisHost* host, TamisOpContext* context);
} TamisCustomOp;

typedef struct TamisCustomOpLibrary {
  uint32_t struct_size;
  uint32_t abi;        /* TAMIS_CUSTOM_OP_ABI */
  const char* name;    /* for messages and for the record in an engine file */
  const char* version; /* any text */
  const TamisCustomOp* const* ops;
  size_t op_count;
} TamisCustomOpLibrary;

/* `abi` is the one Tamis speaks. NULL: the library can't work with it. */
typedef const TamisCustomOpLibrary* (*TamisCustomOpsFunction)(uint32_t abi);
TAMIS_CUSTOM_OP_EXPORT const TamisCustomOpLibrary* tamis_custom_ops(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif /* TAMIS_CUSTOM_OP_H_ */
