// What stands in a JPEG before its coded pixels, and which files are refused before libjpeg sees them.
// The rules are those of Python's `leansort.core.preprocess`, word by word.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "leansort/errors.hpp"
#include "leansort/exif.hpp"

namespace leansort {

// Bytes of a file that belong to somebody else.
struct Bytes {
  const std::uint8_t* data = nullptr;
  std::size_t length = 0;

  bool starts_with(const char* text, std::size_t count) const {
    return length >= count && std::memcmp(data, text, count) == 0;
  }
  // A number of two bytes, the high one first; bytes behind the end are not there.
  int u16(std::size_t at) const {
    if (at >= length) return 0;
    return at + 1 < length ? data[at] << 8 | data[at + 1] : data[at];
  }
};

struct JpegHeader {
  int width = 0;
  int height = 0;
  int components = 0;
  int orientation = 1;
};

namespace jpeg {

constexpr std::uint64_t most_pixels_a_byte = 2000;   // one colour all over, stored progressively, comes to under 200
constexpr std::uint64_t most_pixels = 1ull << 28;    // a gigabyte on the way; Python has no such limit of its own
constexpr std::uint8_t start_of_scan = 0xDA, app1 = 0xE1;

inline bool is_frame(std::uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Whether an end-of-image marker stands at `first` or behind it.
inline bool has_end(Bytes file, std::size_t first) {
  for (std::size_t at = file.length; at-- > first;)
    if (at + 1 < file.length && file.data[at] == 0xFF && file.data[at + 1] == 0xD9) return true;
  return false;
}

inline int orientation_of(Bytes file, std::size_t payload) {
  const std::size_t end = payload + static_cast<std::size_t>(std::max(2, file.u16(payload)));
  const std::size_t tiff = payload + 8;  // behind the length and "Exif", 0, 0
  if (end > file.length || tiff >= end || std::memcmp(file.data + payload + 2, "Exif\0\0", 6) != 0) return 0;
  return exif::orientation(file.data + tiff, end - tiff);
}

// What a file is that is no JPEG, as far as its first bytes tell.
inline std::string describe(Bytes file) {
  const struct { const char* start; std::size_t count; const char* name; } kinds[] = {
      {"\x89PNG\r\n\x1a\n", 8, "PNG"}, {"GIF8", 4, "GIF"}, {"RIFF", 4, "WebP or sound"}, {"BM", 2, "BMP"},
      {"II*\0", 4, "TIFF"}, {"MM\0*", 4, "TIFF"}, {"%PDF", 4, "PDF"}, {"PK\3\4", 4, "a zip archive"},
      {"<", 1, "HTML or XML text (a failed download?)"}, {"version https://git-lfs", 23, "a Git LFS pointer"}};
  for (const auto& kind : kinds)
    if (file.starts_with(kind.start, kind.count)) return std::string("is no JPEG but ") + kind.name;
  const bool container = file.length > 8 && std::memcmp(file.data + 4, "ftyp", 4) == 0;
  return container ? "is no JPEG but HEIC, AVIF or video" : "is no JPEG";
}

// The header of a JPEG that looks whole. Throws UnreadableImage: it is empty, no JPEG, cut short or lies of its size.
inline JpegHeader read_header(Bytes file) {
  if (file.length == 0) throw UnreadableImage("is empty (0 bytes)");
  if (!file.starts_with("\xFF\xD8", 2)) throw UnreadableImage(describe(file));
  JpegHeader header;
  std::size_t payload = 0;
  int turned = 0;  // by the first segment that tells an orientation
  for (std::size_t at = 2; at + 4 <= file.length && file.data[at] == 0xFF;) {
    const std::uint8_t marker = file.data[at + 1];
    if (marker == 0xFF) {  // a fill byte before a marker
      ++at;
      continue;
    }
    payload = at + 2;
    if (is_frame(marker)) {
      header.height = file.u16(payload + 3);
      header.width = file.u16(payload + 5);
      header.components = payload + 7 < file.length ? file.data[payload + 7] : 0;
    }
    if (marker == app1 && turned == 0) turned = orientation_of(file, payload);
    if (marker == start_of_scan) break;
    at = payload + static_cast<std::size_t>(file.u16(payload));
  }
  header.orientation = std::max(1, turned);
  const std::uint64_t pixels = static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height);
  const std::string size = std::to_string(header.width) + " x " + std::to_string(header.height) + " pixels";
  if (pixels > most_pixels_a_byte * file.length)
    throw UnreadableImage("is damaged: " + size + " cannot come out of " + std::to_string(file.length) + " bytes");
  if (pixels == 0) throw UnreadableImage("has a damaged JPEG header");
  if (!has_end(file, payload)) throw UnreadableImage("is cut short (no end-of-image marker)");
  if (pixels > most_pixels)
    throw UnreadableImage("has too many pixels: " + size + ", at most " + std::to_string(most_pixels));
  return header;
}

}  // namespace jpeg
}  // namespace leansort
