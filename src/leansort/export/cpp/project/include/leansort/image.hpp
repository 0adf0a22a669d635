// Pixels: three bytes each, row by row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace leansort {

// Pixels that belong to somebody else, perhaps a part of a larger image.
struct View {
  const std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  std::size_t stride = 0;  // bytes from one row to the next

  const std::uint8_t* row(int y) const { return data + static_cast<std::size_t>(y) * stride; }

  View part(int left, int top, int wide, int high) const {
    return {row(top) + static_cast<std::size_t>(left) * 3, wide, high, stride};
  }
};

struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;

  Image() = default;
  Image(int wide, int high)
      : width(wide), height(high), data(static_cast<std::size_t>(wide) * static_cast<std::size_t>(high) * 3) {}

  View view() const { return {data.data(), width, height, static_cast<std::size_t>(width) * 3}; }
  std::uint8_t* row(int y) { return data.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * 3; }
};

// CRC-32 as zlib computes it: tells files and pixels apart, and is no protection against anybody.
inline std::uint32_t crc32(const std::uint8_t* data, std::size_t length) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      made[byte] = byte;
      for (int bit = 0; bit < 8; ++bit) made[byte] = made[byte] & 1 ? 0xEDB88320u ^ made[byte] >> 1 : made[byte] >> 1;
    }
    return made;
  }();
  std::uint32_t sum = 0xFFFFFFFFu;
  for (std::size_t at = 0; at < length; ++at) sum = table[(sum ^ data[at]) & 0xFFu] ^ sum >> 8;
  return ~sum;
}

}  // namespace leansort
