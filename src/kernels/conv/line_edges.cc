#include "src/kernels/conv/line_edges.h"

#include <algorithm>

namespace tamis {
namespace {

// Results at an edge that are laid out together: as many as routines compute at once, which take as long for fewer.
constexpr int64_t kEdge = 14;

int64_t Reach(const SlidingAxis& axis) {
  return (axis.kernel - 1) * axis.dilation + 1;
}

bool Inside(const SlidingAxis& axis, int64_t first) {
  return first >= axis.pad_begin && first + Reach(axis) <= axis.pad_begin + axis.in;
}

}  // namespace

LineEdges::LineEdges(const PaddedImage& image, bool rows_as_taps, int64_t element) : image_(image) {
  const SlidingAxis &d = image_.axes[0], &h = image_.axes[1], &w = image_.axes[2];
  const auto results = [&](int64_t at) { return std::clamp<int64_t>(at, 0, w.out); };
  begin_ = results((w.pad_begin + w.stride - 1) / w.stride);
  const int64_t last_start = w.pad_begin + w.in - Reach(w);  // of a window inside
  end_ = last_start < 0 ? begin_ : std::max(begin_, results(last_start / w.stride + 1));
  if (begin_ > 0) begin_ = std::min(std::max(begin_, kEdge), end_);
  if (end_ < w.out) end_ = std::max(std::min(end_, w.out - kEdge), begin_);
  const int64_t pixel = image_.pitch / element;
  int64_t row = 0;  // of taps
  for (int64_t z = 0; z < d.kernel; ++z) {
    for (int64_t y = 0; y < h.kernel; ++y, ++row) {
      for (int64_t x = 0; x < (rows_as_taps ? 1 : w.kernel); ++x) {
        taps_.push_back(((z * d.dilation * h.in + y * h.dilation) * w.in + x * w.dilation) * pixel);
        patch_taps_.push_back((row * image_.padded[2] + x * w.dilation) * pixel);
      }
    }
  }
}

bool LineEdges::Pays(int64_t panels) const {
  return image_.pads && (image_.axes[2].out - (end_ - begin_)) * panels < image_.axes[2].out;
}

LineEdges::Place LineEdges::PlaceOf(int64_t line) const {
  const auto& [d, h, w] = image_.axes;
  return {line / (d.out * h.out), line / h.out % d.out * d.stride, line % h.out * h.stride};
}

LineEdges::Stretch LineEdges::From(int64_t line, int64_t at) const {
  const Place place = PlaceOf(line);
  const auto& [d, h, w] = image_.axes;
  if (begin_ == end_ || !Inside(d, place.z) || !Inside(h, place.y)) return {w.out, false};
  if (at < begin_) return {begin_, false};
  return at < end_ ? Stretch{end_, true} : Stretch{w.out, false};
}

const std::byte* LineEdges::InPlace(const void* x, int64_t line, int64_t at) const {
  const Place place = PlaceOf(line);
  const auto& [d, h, w] = image_.axes;
  const int64_t in_line = (place.image * d.in + place.z - d.pad_begin) * h.in + place.y - h.pad_begin;
  return static_cast<const std::byte*>(x) + (in_line * w.in + at * w.stride - w.pad_begin) * image_.pitch;
}

void LineEdges::LayOut(const void* x, int64_t line, int64_t begin, int64_t end, std::byte* patch) const {
  const Place place = PlaceOf(line);
  const auto& [d, h, w] = image_.axes;
  const int64_t pixels = (end - begin - 1) * w.stride + Reach(w);
  for (int64_t z = 0; z < d.kernel; ++z) {
    for (int64_t y = 0; y < h.kernel; ++y, patch += image_.padded[2] * image_.pitch) {
      const int64_t from = image_.At(place.image, place.z + z * d.dilation, place.y + y * h.dilation, begin * w.stride);
      const int64_t first = from / image_.pitch;
      image_.LayOut(x, first, first + pixels, 0, 0, patch - from);
    }
  }
}

int64_t LineEdges::PatchBytes() const {
  const auto& [d, h, w] = image_.axes;
  return (d.kernel * h.kernel * image_.padded[2] * image_.pitch + 63) / 64 * 64;
}

}  // namespace tamis
