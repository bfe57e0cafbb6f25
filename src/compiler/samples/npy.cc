#include "src/compiler/samples/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "src/base/atomic_file.h"
#include "src/base/tensor_store.h"

namespace tamis {
namespace {

struct TypeCode {
  std::string_view code;
  DType dtype;
};
constexpr std::array<TypeCode, 13> kTypes = {{{"|b1", DType::kBool},
                                              {"|u1", DType::kUInt8},
                                              {"|i1", DType::kInt8},
                                              {"<u2", DType::kUInt16},
                                              {"<i2", DType::kInt16},
                                              {"<u4", DType::kUInt32},
                                              {"<i4", DType::kInt32},
                                              {"<u8", DType::kUInt64},
                                              {"<i8", DType::kInt64},
                                              {"<f2", DType::kFloat16},
                                              {"<f4", DType::kFloat32},
                                              {"<f8", DType::kFloat64},
                                              {"?", DType::kBool}}};

// The text after 'key': in the header's dictionary literal, blanks skipped; empty if there is none.
std::string_view FieldOf(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = std::string(1, quote) + std::string(key) + quote;
    const size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    const size_t colon = header.find(':', at + quoted.size());
    if (colon == std::string_view::npos) return {};
    const size_t begin = header.find_first_not_of(" \t", colon + 1);
    return begin == std::string_view::npos ? std::string_view() : header.substr(begin);
  }
  return {};
}

Result<DType> ParseType(std::string_view header) {
  const std::string_view field = FieldOf(header, "descr");
  const size_t end = field.size() > 1 ? field.find(field[0], 1) : std::string_view::npos;
  if (field.empty() || (field[0] != '\'' && field[0] != '"') || end == std::string_view::npos) {
    return UserError("the header has no plain element type (structured arrays are not supported)");
  }
  const std::string_view code = field.substr(1, end - 1);
  for (const TypeCode& type : kTypes) {
    if (type.code == code) return type.dtype;
  }
  return UserError("element type '{}' is not supported; little-endian booleans, integers and floats are", code);
}

Result<Dims> ParseShape(std::string_view header) {
  std::string_view field = FieldOf(header, "shape");
  const size_t close = field.find(')');
  if (field.empty() || field[0] != '(' || close == std::string_view::npos) return UserError("the header has no shape");
  field = field.substr(1, close - 1);
  Dims dims;
  while (true) {
    const size_t begin = field.find_first_not_of(" ,\t");
    if (begin == std::string_view::npos) break;
    field.remove_prefix(begin);
    int64_t size = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), size);
    if (error != std::errc() || size < 0 || dims.size() == 32) return UserError("the header's shape can't be read");
    dims.push_back(size);
    field.remove_prefix(static_cast<size_t>(end - field.data()));
  }
  if (NumElements(dims) < 0) return UserError("the shape {} is too large", ToString(dims));
  return dims;
}

// From column-major to row-major.
Tensor FromFortran(const Tensor& source) {
  Tensor result(source.dtype(), source.dims());
  const size_t size = ByteSize(source.dtype(), 1);
  const Dims& dims = source.dims();
  Dims index(dims.size(), 0);
  for (int64_t i = 0; i < source.NumElements(); ++i) {
    int64_t target = 0;
    for (size_t axis = 0; axis < dims.size(); ++axis) target = target * dims[axis] + index[axis];
    std::memcpy(result.raw() + static_cast<size_t>(target) * size, source.raw() + static_cast<size_t>(i) * size, size);
    for (size_t axis = 0; axis < dims.size() && ++index[axis] == dims[axis]; ++axis) index[axis] = 0;
  }
  return result;
}

// With an owner of the bytes the tensor is a view of them where that can be.
Result<Tensor> Parse(const void* data, size_t bytes, std::shared_ptr<const void> owner) {
  const auto* text = static_cast<const char*>(data);
  if (bytes < 10 || std::memcmp(text, "\x93NUMPY", 6) != 0) return UserError("not a .npy file");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(text[i])); };
  const size_t version = byte(6);
  if (version < 1 || version > 3) return UserError(".npy format version {} is not known", version);
  const size_t prefix = version == 1 ? 10 : 12;
  if (bytes < prefix) return UserError("the file is truncated");
  size_t header_size = byte(8) | byte(9) << 8;
  if (version > 1) header_size |= byte(10) << 16 | byte(11) << 24;
  if (header_size > bytes - prefix) return UserError("the file is truncated inside its header");
  const std::string_view header(text + prefix, header_size);
  TAMIS_ASSIGN_OR_RETURN(const DType dtype, ParseType(header));
  TAMIS_ASSIGN_OR_RETURN(const Dims dims, ParseShape(header));
  const size_t available = bytes - prefix - header_size;
  const auto count = static_cast<size_t>(NumElements(dims));
  if (available / ByteSize(dtype, 1) < count) {
    return UserError("the file is truncated: shape {} of {} needs {} bytes, it has {}", ToString(dims), Name(dtype),
                     ByteSize(dtype, count), available);
  }
  const char* const elements = text + prefix + header_size;
  const bool fortran = FieldOf(header, "fortran_order").rfind("True", 0) == 0;
  const bool aligned = reinterpret_cast<uintptr_t>(elements) % ByteSize(dtype, 1) == 0;
  if (owner != nullptr && !fortran && aligned && count > 0) {
    return Tensor::View(dtype, dims, elements, std::move(owner));
  }
  Tensor tensor(dtype, dims);
  if (count > 0) std::memcpy(tensor.raw(), elements, tensor.NumBytes());
  return fortran ? FromFortran(tensor) : tensor;
}

}  // namespace

Result<Tensor> ParseNpy(const void* data, size_t bytes) {
  return Parse(data, bytes, nullptr);
}

Result<Tensor> ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return UserError("can't open '{}': {}", path, std::strerror(errno));
  std::ostringstream content;
  content << file.rdbuf();
  const std::string bytes = std::move(content).str();
  auto tensor = ParseNpy(bytes.data(), bytes.size());
  if (!tensor.ok()) return tensor.status().WithContext(path);
  return tensor;
}

Result<Tensor> MapNpy(const std::string& path) {
  TAMIS_ASSIGN_OR_RETURN(const FileBytes file, MapFile(path));
  auto tensor = Parse(reinterpret_cast<const char*>(file.data.get()), file.size, file.data);
  if (!tensor.ok()) return tensor.status().WithContext(path);
  return tensor;
}

Tensor AsWritten(Tensor read, DType wanted) {
  if (wanted != DType::kBFloat16 || read.dtype() != DType::kFloat32) return read;
  const auto values = read.Span<float>();
  const auto is_wider = [](float value) { return (std::bit_cast<uint32_t>(value) & 0xffff) != 0; };
  if (std::any_of(values.begin(), values.end(), is_wider)) return read;
  Tensor result(wanted, read.dims());
  std::transform(values.begin(), values.end(), result.Data<uint16_t>(),
                 [](float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); });
  return result;
}

Status WriteNpy(const std::string& path, const Tensor& tensor) {
  const Tensor stored = tensor.dtype() == DType::kBFloat16 ? tensor.ToFloat32() : tensor;
  std::string_view code;
  for (const TypeCode& type : kTypes) {
    if (code.empty() && type.dtype == stored.dtype()) code = type.code;
  }
  if (code.empty()) return UserError("{}: NumPy has no type for {}", path, Name(stored.dtype()));
  std::string shape;
  for (const int64_t size : stored.dims()) shape += std::to_string(size) + ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", code, shape);
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string prefix = "\x93NUMPY\x01";
  prefix += '\0';
  prefix += static_cast<char>(header.size() & 0xff);
  prefix += static_cast<char>(header.size() >> 8);
  TAMIS_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  TAMIS_RETURN_IF_ERROR(file.Write(prefix.data(), prefix.size()));
  TAMIS_RETURN_IF_ERROR(file.Write(header.data(), header.size()));
  TAMIS_RETURN_IF_ERROR(file.Write(stored.raw(), stored.NumBytes()));
  return file.Commit();
}

}  // namespace tamis
