#include <cstdio>  // jpeglib.h needs FILE and does not include it

#include <jpeglib.h>

#include <csetjmp>

#include "src/ops/op_image.h"

namespace tamis {
namespace {

// libjpeg reports errors by a call that must not return.
struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
};

void Leave(j_common_ptr info) {
  std::longjmp(reinterpret_cast<Errors*>(info->err)->jump, 1);
}

void IgnoreMessage(j_common_ptr) {}

// No object with a destructor may live in this function: errors jump out of it.
bool Decode(std::string_view bytes, Errors* errors, std::optional<RgbImage>* image) {
  jpeg_decompress_struct info;
  info.err = jpeg_std_error(&errors->manager);
  errors->manager.error_exit = Leave;
  errors->manager.output_message = IgnoreMessage;
  if (setjmp(errors->jump) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  *image = BlankImage(info.image_height, info.image_width);
  if (!image->has_value()) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = (*image)->pixels.data() + size_t{info.output_scanline} * info.output_width * 3;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

}  // namespace

DecodedImage DecodeJpeg(std::string_view bytes) {
  Errors errors;
  std::optional<RgbImage> image;
  if (!Decode(bytes, &errors, &image)) image.reset();
  return image;
}

}  // namespace tamis
