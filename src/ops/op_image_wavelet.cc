// JPEG 2000, files and bare codestreams.
#include "src/ops/op_image.h"

#ifdef TAMIS_HAVE_OPENJPEG
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace tamis {
namespace {

// A file in memory, as OpenJPEG reads it.
struct Source {
  std::string_view bytes;
  size_t at = 0;
};

OPJ_SIZE_T Read(void* to, OPJ_SIZE_T size, void* user) {
  auto* source = static_cast<Source*>(user);
  const size_t count = std::min<size_t>(size, source->bytes.size() - source->at);
  if (count == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(to, source->bytes.data() + source->at, count);
  source->at += count;
  return count;
}
OPJ_BOOL Seek(OPJ_OFF_T offset, void* user) {
  auto* source = static_cast<Source*>(user);
  if (offset < 0 || static_cast<size_t>(offset) > source->bytes.size()) return OPJ_FALSE;
  source->at = static_cast<size_t>(offset);
  return OPJ_TRUE;
}
OPJ_OFF_T Skip(OPJ_OFF_T count, void* user) {
  auto* source = static_cast<Source*>(user);
  return Seek(static_cast<OPJ_OFF_T>(source->at) + count, user) == OPJ_TRUE ? count : -1;
}

template <class T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};

// A sample as 8 bits.
uint8_t Sample(const opj_image_comp_t& component, size_t at) {
  int64_t value = component.data[at];
  if (component.sgnd != 0) value += int64_t{1} << (component.prec - 1);
  if (component.prec > 8) value >>= component.prec - 8;
  if (component.prec < 8) value = value * 255 / ((1 << component.prec) - 1);
  return static_cast<uint8_t>(std::clamp<int64_t>(value, 0, 255));
}

}  // namespace

DecodedImage DecodeJpeg2000(std::string_view bytes) {
  const std::optional<RgbImage> damaged;
  Source source{bytes, 0};
  const std::unique_ptr<opj_stream_t, Freed<opj_stream_t, opj_stream_destroy>> stream(
      opj_stream_default_create(OPJ_TRUE));
  const bool bare = static_cast<uint8_t>(bytes[0]) == 0xff;
  const std::unique_ptr<opj_codec_t, Freed<opj_codec_t, opj_destroy_codec>> codec(
      opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2));
  if (stream == nullptr || codec == nullptr) return damaged;
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), bytes.size());
  opj_stream_set_read_function(stream.get(), Read);
  opj_stream_set_seek_function(stream.get(), Seek);
  opj_stream_set_skip_function(stream.get(), Skip);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* raw = nullptr;
  if (opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE) return damaged;
  const bool header = opj_read_header(stream.get(), codec.get(), &raw) == OPJ_TRUE;
  const std::unique_ptr<opj_image_t, Freed<opj_image_t, opj_image_destroy>> decoded(raw);
  if (!header || decoded->numcomps == 0) return damaged;
  auto image =
      BlankImage(decoded->y1 - static_cast<int64_t>(decoded->y0), decoded->x1 - static_cast<int64_t>(decoded->x0));
  if (!image || opj_decode(codec.get(), stream.get(), decoded.get()) == OPJ_FALSE) return damaged;
  const bool colour = decoded->numcomps >= 3;
  if (decoded->color_space == OPJ_CLRSPC_SYCC || decoded->color_space == OPJ_CLRSPC_EYCC ||
      decoded->color_space == OPJ_CLRSPC_CMYK) {
    return UserError("a JPEG 2000 image in a colour space other than RGB and grey is not supported");
  }
  const auto pixels = static_cast<size_t>(image->height * image->width);
  for (size_t c = 0; c < 3; ++c) {
    const opj_image_comp_t& component = decoded->comps[colour ? c : 0];
    if (component.data == nullptr || component.prec < 1 || component.prec > 31 || component.w != image->width ||
        component.h != image->height) {
      return UserError("a JPEG 2000 image with subsampled components is not supported");
    }
    for (size_t i = 0; i < pixels; ++i) image->pixels[3 * i + c] = Sample(component, i);
  }
  return image;
}

}  // namespace tamis
#else
namespace tamis {

DecodedImage DecodeJpeg2000(std::string_view) {
  return UserError("a JPEG 2000 image; Tamis was built without OpenJPEG");
}

}  // namespace tamis
#endif
