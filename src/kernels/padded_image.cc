#include "src/kernels/padded_image.h"

#include <algorithm>
#include <cstring>

namespace tamis {

PaddedImage::PaddedImage(int64_t images, const WindowGeometry& geometry, int64_t bytes_of_pixel)
    : batch(images), axes(geometry.axes), pixel_bytes(bytes_of_pixel), pitch(bytes_of_pixel), pointwise(true) {
  for (size_t i = 0; i < axes.size(); ++i) {
    const SlidingAxis& axis = axes[i];
    const int64_t reach = (axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    padded[i] = std::max(axis.pad_begin + axis.in, reach);
    pads |= padded[i] != axis.in;
    pointwise &= axis.kernel == 1 && axis.stride == 1;
  }
}

std::vector<int64_t> PaddedImage::Taps(bool rows_as_taps) const {
  std::vector<int64_t> taps;
  for (int64_t z = 0; z < axes[0].kernel; ++z) {
    for (int64_t y = 0; y < axes[1].kernel; ++y) {
      for (int64_t x = 0; x < (rows_as_taps ? 1 : axes[2].kernel); ++x) {
        taps.push_back(At(0, z * axes[0].dilation, y * axes[1].dilation, x * axes[2].dilation));
      }
    }
  }
  return taps;
}

int64_t PaddedImage::LineStart(int64_t line) const {
  if (OneLine()) return 0;
  const auto& [d, h, w] = axes;
  return At(line / (d.out * h.out), line / h.out % d.out * d.stride, line % h.out * h.stride, 0);
}

PaddedImage::TapSpan PaddedImage::TapsInImage(int64_t line, bool rows_as_taps) const {
  const SlidingAxis& h = axes[1];
  const int64_t row_taps = rows_as_taps ? 1 : axes[2].kernel;
  const TapSpan all = {0, axes[0].kernel * h.kernel * row_taps};
  if (axes[0].kernel > 1 || OneLine()) return all;  // with depth the rows that are met don't follow one another
  const int64_t top = line % h.out * h.stride - h.pad_begin;
  const auto rows_above = [&](int64_t y) { return y <= top ? 0 : (y - top + h.dilation - 1) / h.dilation; };
  const int64_t first = rows_above(0), last = std::min(rows_above(h.in), h.kernel);
  return first < last ? TapSpan{first * row_taps, last * row_taps} : all;
}

PaddedImage::LineRun PaddedImage::LinesFrom(int64_t line, bool rows_as_taps, int64_t most) const {
  const SlidingAxis& h = axes[1];
  const int64_t in_plane = h.out - line % h.out;  // from here on; the next plane begins at another distance
  const TapSpan met = TapsInImage(line, rows_as_taps);
  LineRun run = {1, h.stride * padded[2] * pitch};
  for (; run.lines < std::min(most, in_plane); ++run.lines) {
    const TapSpan next = TapsInImage(line + run.lines, rows_as_taps);
    if (next.first != met.first || next.last != met.last) break;
  }
  return run;
}

PaddedImage::Span PaddedImage::PixelsOf(int64_t first, int64_t last) const {
  if (OneLine()) return {first, last};
  const auto& [d, h, w] = axes;
  const int64_t reach = ((d.kernel - 1) * d.dilation * padded[1] + (h.kernel - 1) * h.dilation + 1) * padded[2];
  return {LineStart(first / w.out) / pitch, LineStart((last - 1) / w.out) / pitch + reach};
}

int64_t PaddedImage::MostPixels(int64_t rows) const {
  if (OneLine()) return rows;
  const int64_t all = batch * OutPixels();
  int64_t most = 0;
  for (int64_t first = 0; first < all; first += axes[2].out) {
    const Span span = PixelsOf(first, std::min(first + rows, all));
    most = std::max(most, span.end - span.begin);
  }
  return most;
}

void PaddedImage::LayOut(const void* x, int64_t begin, int64_t end, uint8_t fill, uint8_t flip, void* to) const {
  const auto& [d, h, w] = axes;
  while (begin < end) {
    const int64_t row = begin / padded[2], from = begin % padded[2];
    const int64_t until = std::min(padded[2], from + end - begin);
    const int64_t z = row / padded[1] % padded[0] - d.pad_begin;
    const int64_t y = row % padded[1] - h.pad_begin;
    const bool inside = z >= 0 && z < d.in && y >= 0 && y < h.in;
    const int64_t left = inside ? std::clamp(w.pad_begin, from, until) : until;
    const int64_t right = inside ? std::clamp(w.pad_begin + w.in, left, until) : until;
    auto* out = static_cast<uint8_t*>(to) + begin * pitch;
    std::memset(out, fill, static_cast<size_t>((left - from) * pitch));
    out += (left - from) * pitch;
    if (right > left) {
      const int64_t image = row / (padded[0] * padded[1]);
      const auto* in =
          static_cast<const uint8_t*>(x) + (((image * d.in + z) * h.in + y) * w.in + left - w.pad_begin) * pixel_bytes;
      const int64_t runs = pitch == pixel_bytes ? 1 : right - left;
      const int64_t bytes = pitch == pixel_bytes ? (right - left) * pixel_bytes : pixel_bytes;
      for (int64_t i = 0; i < runs; ++i) Copy(in + i * pixel_bytes, bytes, flip, out + i * pitch);
    }
    out += (right - left) * pitch;
    std::memset(out, fill, static_cast<size_t>((until - right) * pitch));
    begin += until - from;
  }
}

void PaddedImage::Copy(const uint8_t* from, int64_t bytes, uint8_t flip, uint8_t* to) const {
  if (flip == 0) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  for (int64_t i = 0; i < bytes; ++i) to[i] = from[i] ^ flip;
}

}  // namespace tamis
