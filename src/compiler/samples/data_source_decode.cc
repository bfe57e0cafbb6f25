#include "src/compiler/samples/data_source_decode.h"

#include <cstdio>  // jpeglib.h needs FILE and does not include it

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <csetjmp>
#include <cstring>
#include <string>

namespace tamis {
namespace {

constexpr int64_t kMaxPixels = int64_t{64} << 20;

Status CheckSize(int64_t width, int64_t height) {
  if (width > 0 && height > 0 && width <= kMaxPixels / height) return {};
  return UserError("an image of {} x {} pixels; at most {} megapixels are read", width, height, kMaxPixels >> 20);
}

// libjpeg reports errors by a call that must not return.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void LeaveJpeg(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->manager.format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

void IgnoreMessage(j_common_ptr) {}

// No object with a destructor may live in this function: errors jump out of it. False with errors->message set, or with
// an empty message if `image` can't be that large.
bool DecodeJpegInto(std::string_view bytes, int64_t channels, JpegErrors* errors, Image* image) {
  jpeg_decompress_struct info;
  info.err = jpeg_std_error(&errors->manager);
  errors->manager.error_exit = LeaveJpeg;
  errors->manager.output_message = IgnoreMessage;
  errors->message[0] = 0;
  if (setjmp(errors->jump) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  image->width = info.image_width;
  image->height = info.image_height;
  image->channels = channels;
  if (image->width <= 0 || image->height <= 0 || image->width > kMaxPixels / image->height) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_start_decompress(&info);
  image->pixels.resize(static_cast<size_t>(image->width * image->height * channels));
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = image->pixels.data() + info.output_scanline * static_cast<size_t>(image->width * channels);
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

Result<Image> DecodeJpeg(std::string_view bytes, int64_t channels) {
  JpegErrors errors;
  Image image;
  if (DecodeJpegInto(bytes, channels, &errors, &image)) return image;
  if (errors.message[0] == 0) return CheckSize(image.width, image.height);
  return UserError("damaged JPEG: {}", errors.message);
}

Result<Image> DecodePng(std::string_view bytes, int64_t channels) {
  png_image png;
  std::memset(&png, 0, sizeof(png));
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) {
    return UserError("damaged PNG: {}", png.message);
  }
  Status size = CheckSize(png.width, png.height);
  if (!size.ok()) {
    png_image_free(&png);
    return size;
  }
  png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Image image{static_cast<int64_t>(png.height), static_cast<int64_t>(png.width), channels, {}};
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  const png_color black = {0, 0, 0};  // under transparent pixels
  if (png_image_finish_read(&png, &black, image.pixels.data(), 0, nullptr) == 0) {
    return UserError("damaged PNG: {}", png.message);
  }
  return image;
}

// The next number of a PNM header, after blanks and comments; -1 if there is none.
int64_t NextNumber(std::string_view* text) {
  while (!text->empty()) {
    if (text->front() == '#') {
      text->remove_prefix(std::min(text->find('\n'), text->size()));
    } else if (std::isspace(static_cast<unsigned char>(text->front())) != 0) {
      text->remove_prefix(1);
    } else {
      break;
    }
  }
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc()) return -1;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return number;
}

Result<Image> DecodePnm(std::string_view bytes, int64_t channels) {
  const int64_t stored = bytes[1] == '6' ? 3 : 1;
  bytes.remove_prefix(2);
  const int64_t width = NextNumber(&bytes), height = NextNumber(&bytes), maximum = NextNumber(&bytes);
  TAMIS_RETURN_IF_ERROR(CheckSize(width, height));
  if (maximum != 255 || bytes.empty()) return UserError("only PPM and PGM files of 8 bits a sample are read");
  bytes.remove_prefix(1);
  const auto pixels = static_cast<size_t>(width * height);
  if (bytes.size() < pixels * static_cast<size_t>(stored)) return UserError("the PPM file is truncated");
  Image image{height, width, channels, std::vector<uint8_t>(pixels * static_cast<size_t>(channels))};
  const auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  for (size_t i = 0; i < pixels; ++i) {
    if (channels == 1) {
      const double luma = stored == 1 ? in[i] : 0.299 * in[3 * i] + 0.587 * in[3 * i + 1] + 0.114 * in[3 * i + 2];
      image.pixels[i] = static_cast<uint8_t>(std::lround(luma));
      continue;
    }
    for (size_t c = 0; c < 3; ++c) image.pixels[3 * i + c] = stored == 1 ? in[i] : in[3 * i + c];
  }
  return image;
}

// The weights of source samples for one target sample, along one axis.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

std::vector<Taps> TapsFor(int64_t source, double scaled, int64_t target) {
  const double step = static_cast<double>(source) / scaled;          // source samples for one target sample
  const double offset = (scaled - static_cast<double>(target)) / 2;  // cropped away before the first
  const double reach = std::max(1.0, step);
  std::vector<Taps> taps(static_cast<size_t>(target));
  for (int64_t t = 0; t < target; ++t) {
    const double centre = (static_cast<double>(t) + offset + 0.5) * step - 0.5;
    const int64_t first = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(centre - reach)), 0, source - 1);
    const int64_t last = std::clamp<int64_t>(static_cast<int64_t>(std::floor(centre + reach)), first, source - 1);
    Taps& tap = taps[static_cast<size_t>(t)];
    tap.first = first;
    double sum = 0;
    for (int64_t s = first; s <= last; ++s) {
      const double weight = std::max(0.0, 1 - std::fabs(static_cast<double>(s) - centre) / reach);
      tap.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : tap.weights)
      weight = sum > 0 ? weight / static_cast<float>(sum) : 1.0F / static_cast<float>(tap.weights.size());
  }
  return taps;
}

}  // namespace

bool IsImageName(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(name.substr(dot + 1));
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::array<std::string_view, 5> kKnown = {"jpg", "jpeg", "png", "ppm", "pgm"};
  return std::find(kKnown.begin(), kKnown.end(), extension) != kKnown.end();
}

Result<Image> DecodeImage(std::string_view bytes, int64_t channels) {
  TAMIS_ASSERT(channels == 1 || channels == 3);
  if (bytes.substr(0, 3) == "\xff\xd8\xff") return DecodeJpeg(bytes, channels);
  if (bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n") return DecodePng(bytes, channels);
  if (bytes.substr(0, 2) == "P6" || bytes.substr(0, 2) == "P5") return DecodePnm(bytes, channels);
  return UserError("neither JPEG nor PNG nor binary PPM or PGM");
}

Image CoverAndCrop(const Image& image, int64_t height, int64_t width) {
  if (image.height == height && image.width == width) return image;
  const double scale = std::max(static_cast<double>(height) / static_cast<double>(image.height),
                                static_cast<double>(width) / static_cast<double>(image.width));
  const std::vector<Taps> rows = TapsFor(image.height, scale * static_cast<double>(image.height), height);
  const std::vector<Taps> columns = TapsFor(image.width, scale * static_cast<double>(image.width), width);
  const int64_t channels = image.channels;
  Image result{height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels))};
  std::vector<float> line(static_cast<size_t>(image.width * channels));
  uint8_t* out = result.pixels.data();
  for (const Taps& row : rows) {
    std::fill(line.begin(), line.end(), 0.0F);
    for (size_t i = 0; i < row.weights.size(); ++i) {
      const uint8_t* in = image.pixels.data() + (static_cast<size_t>(row.first) + i) * line.size();
      for (size_t x = 0; x < line.size(); ++x) line[x] += row.weights[i] * static_cast<float>(in[x]);
    }
    for (const Taps& column : columns) {
      for (int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t i = 0; i < column.weights.size(); ++i) {
          sum += column.weights[i] *
                 line[(static_cast<size_t>(column.first) + i) * static_cast<size_t>(channels) + static_cast<size_t>(c)];
        }
        *out++ = static_cast<uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
      }
    }
  }
  return result;
}

}  // namespace tamis
