// libFuzzer target: any bytes are either a graph that verifies and can be written again, or an error.
//
//   cmake -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DTAMIS_BUILD_FUZZERS=ON -DTAMIS_SANITIZE=address,undefined
//   ninja -C build-fuzz import_fuzz && build-fuzz/import_fuzz -rss_limit_mb=4096 CORPUS_FOLDER_WITH_SMALL_MODELS
#include <cstddef>
#include <cstdint>

#include "src/onnx/graph_writer.h"
#include "src/onnx/onnx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const tamis::Result<tamis::Graph> graph = tamis::ImportOnnxBytes(data, size, "");
  if (!graph.ok()) {
    TAMIS_ASSERT(graph.status().kind() != tamis::ErrorKind::kInternal);
    return 0;
  }
  TAMIS_ASSERT(graph->Verify().ok());
  onnx::GraphProto proto;
  std::vector<tamis::PendingWeight> weights;
  TAMIS_ASSERT(tamis::WriteGraph(*graph, &proto, &weights).ok());
  return 0;
}
