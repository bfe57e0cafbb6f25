// Bytes -> ModelProto, with a diagnosis where the bytes are no ONNX model.
#pragma once

#include <google/protobuf/arena.h>
#include <onnx-ml.pb.h>

#include <string>
#include <string_view>

#include "src/base/file_descriptor.h"
#include "tamis/status.h"

namespace tamis {

struct ModelFile {
  FileDescriptor descriptor;
  size_t bytes = 0;
};

// An error (kUser: missing, a folder, above 2 GiB; kRuntime: the system's) does not name the path: who asks does.
Result<ModelFile> OpenModelFile(const std::string& path);
// The whole file in memory; the same errors, and kRuntime where reading fails.
Result<std::string> ReadModelFile(const std::string& path);

// How the arena that a model is parsed into should grow: large networks have thousands of small messages. In memory of
// their own they leave no holes between the parts of the graph that is made of them, which passes walk again and again.
google::protobuf::ArenaOptions ModelArenaOptions();

// Parses and checks that it is a model with a graph; it is the arena's. An error says what the bytes look like instead:
// text, a Git LFS pointer, another format, or a truncated model with the size it should have.
Result<onnx::ModelProto*> ParseModel(std::string_view bytes, google::protobuf::Arena* arena);

}  // namespace tamis
