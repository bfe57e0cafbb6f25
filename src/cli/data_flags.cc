#include "src/cli/data_flags.h"

#include "src/cli/verb.h"
#include "src/runtime/specialize.h"

namespace tamis {

void DeclareDataFlags(CLI::App& app, DataFlags* flags) {
  app.add_option("--data", flags->path, "Folder of .npy files (one an input), or folder or .zip of images")->required();
  app.add_option("--samples", flags->samples, "Use at most so many samples, evenly spaced; 0: all");
  app.add_option("--image-size", flags->image_size, "Height and width that images are scaled to");
  app.add_option("--mean", flags->mean, "Per channel, for values in [0, 1]: 0.485,0.456,0.406");
  app.add_option("--std", flags->std, "Per channel: 0.229,0.224,0.225");
}

Result<SampleRequest> RequestOf(const DataFlags& flags) {
  SampleRequest request;
  request.path = flags.path;
  request.samples = flags.samples;
  request.options.image_size = flags.image_size;
  if (!flags.mean.empty()) {
    TAMIS_ASSIGN_OR_RETURN(request.options.mean, ParseChannelValues("--mean", flags.mean));
  }
  if (!flags.std.empty()) {
    TAMIS_ASSIGN_OR_RETURN(request.options.std, ParseChannelValues("--std", flags.std));
  }
  return request;
}

Result<std::shared_ptr<const DataSource>> OpenData(const DataFlags& flags, const std::vector<TensorSpec>& inputs) {
  TAMIS_ASSIGN_OR_RETURN(const SampleRequest request, RequestOf(flags));
  TAMIS_ASSIGN_OR_RETURN(auto data, request.Open(inputs));
  for (const std::string& remark : data->remarks()) PrintNotice(remark);
  return data;
}

Result<std::shared_ptr<const DataSource>> OpenData(const DataFlags& flags, const Graph& graph) {
  return OpenData(flags, InputSpecs(graph));
}

}  // namespace tamis
