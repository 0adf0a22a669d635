// The one thing that EXIF says of pixels: how the camera was held.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "leansort/image.hpp"

namespace leansort::exif {

// Numbers of a TIFF structure; what lies outside of it is 0.
class Tiff {
 public:
  Tiff(const std::uint8_t* data, std::size_t length)
      : data_(data), length_(length), little_(length >= 2 && data[0] == 'I' && data[1] == 'I') {}

  bool has(std::size_t at, std::size_t bytes) const { return at <= length_ && bytes <= length_ - at; }
  std::uint32_t u16(std::size_t at) const {
    if (!has(at, 2)) return 0;
    const std::uint32_t first = data_[at], second = data_[at + 1];
    return little_ ? first | second << 8 : first << 8 | second;
  }
  std::uint32_t u32(std::size_t at) const {
    const std::uint32_t first = u16(at), second = u16(at + 2);
    return little_ ? first | second << 16 : first << 16 | second;
  }

 private:
  const std::uint8_t* data_;
  std::size_t length_;
  bool little_;
};

// Whether the value of an entry lies inside, of those tags whose values OpenCV reads: where one does not, it reads no
// further entry.
inline bool is_readable(const Tiff& tiff, std::size_t entry) {
  const std::size_t count = tiff.u32(entry + 4), offset = tiff.u32(entry + 8);
  switch (tiff.u16(entry)) {
    case 0x010E: case 0x010F: case 0x0110: case 0x0131: case 0x0132: case 0x8298:  // texts
      return count <= 4 || tiff.has(offset, count);
    case 0x011A: case 0x011B:  // resolutions
      return tiff.has(offset, 8);
    case 0x013E:  // white point
      return tiff.has(offset, 16);
    case 0x0211:  // luma coefficients
      return tiff.has(offset, 24);
    case 0x013F: case 0x0214:  // primaries, reference black and white
      return tiff.has(offset, 48);
    default:
      return true;
  }
}

// Orientation 1 to 8 by the first entry of its tag in the first directory; 0 where there is none.
inline int orientation(const std::uint8_t* data, std::size_t length) {
  const Tiff tiff(data, length);
  if (tiff.u16(2) != 42) return 0;
  const std::size_t directory = tiff.u32(4);
  for (std::uint32_t number = 0; number < tiff.u16(directory); ++number) {
    const std::size_t entry = directory + 2 + 12 * static_cast<std::size_t>(number);
    if (!tiff.has(entry, 10) || !is_readable(tiff, entry)) return 0;
    if (tiff.u16(entry) == 0x0112) {
      const auto value = static_cast<int>(tiff.u16(entry + 8));
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 0;
}

// The image as it was seen. Orientations 5 to 8 swap width and height.
inline Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swaps = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image turned(swaps ? image.height : image.width, swaps ? image.width : image.height);
  for (int y = 0; y < turned.height; ++y) {
    std::uint8_t* out = turned.row(y);
    for (int x = 0; x < turned.width; ++x, out += 3) {
      const int along = swaps ? y : x, down = swaps ? x : y;  // column and row where the pixel lies
      const int column = from_right ? image.width - 1 - along : along;
      const int row = from_below ? image.height - 1 - down : down;
      std::copy_n(image.row(row) + static_cast<std::size_t>(column) * 3, 3, out);
    }
  }
  return turned;
}

}  // namespace leansort::exif
