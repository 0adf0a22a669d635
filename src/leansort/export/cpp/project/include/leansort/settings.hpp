// The model's settings: `settings.txt` in its folder, a key and a value a line, as leansort wrote it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <locale>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "leansort/errors.hpp"
#include "leansort/preprocess.hpp"

namespace leansort {

// How novel an image is, on a scale that is 1 where known ends.
struct NoveltyScale {
  std::string method;  // a score of the logits, or "mahalanobis", which is the graph's second output
  double zero = 0;     // the score that is novelty 0
  double span = 1;     // how far above it known ends
  bool reject = false;  // whether what is unknown is not accepted
};

// A file of the graph, and what it has to be.
struct GraphFile {
  std::string name;
  std::uintmax_t length = 0;
  std::uint32_t checksum = 0;  // CRC-32
};

struct Settings {
  std::string name;
  std::vector<GraphFile> files;  // the graph first; OpenVINO's own format has its weights beside it
  Preprocess preprocess;
  double temperature = 1;   // logits are divided by it before the softmax
  double reject_below = 0;  // predictions less probable than this are not accepted
  std::optional<NoveltyScale> novelty;
  std::vector<std::string> labels;  // in the order of the graph's outputs

  static Settings read(const std::filesystem::path& file);
};

namespace settings {

constexpr const char* version = "1";
constexpr const char* methods[] = {"mahalanobis", "energy",  "max_logit",          "max_softmax",
                                   "margin",      "entropy", "generalized_entropy"};

// Reads one file, line by line; every fault names the file and the line.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file) {}

  Settings read() {
    std::ifstream lines(file_, std::ios::binary);
    if (!lines) throw Error("model: " + file_.string() + " cannot be read");
    for (std::string line; std::getline(lines, line);) {
      ++number_;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty() || line[0] == '#') continue;
      const std::size_t space = line.find(' ');
      take(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
    }
    require_whole();
    return found_;
  }

 private:
  void take(const std::string& key, const std::string& value) {
    if (key != "label" && key != "file" && !seen_.insert(key).second) fail(key + " stands there twice");
    if (key == "leansort_model") {
      if (value != version) fail("version " + value + ", this runtime reads " + version);
    } else if (key == "name") {
      found_.name = value;
    } else if (key == "file") {
      found_.files.push_back(graph_file(value));
    } else if (key == "size") {
      found_.preprocess.size = static_cast<int>(number(value, 16, 1024));
    } else if (key == "fit") {
      found_.preprocess.fit = fit(value);
    } else if (key == "fill") {
      found_.preprocess.fill = static_cast<int>(number(value, 0, 255));
    } else if (key == "temperature") {
      found_.temperature = number(value, 0.01, 100);
    } else if (key == "reject_below") {
      found_.reject_below = number(value, 0, 1);
    } else if (key == "novelty") {
      scale_.method = method(value);
    } else if (key == "novelty_zero") {
      scale_.zero = number(value, -1e30, 1e30);
    } else if (key == "novelty_span") {
      scale_.span = number(value, 1e-9, 1e30);
    } else if (key == "novelty_reject") {
      scale_.reject = number(value, 0, 1) != 0;
    } else if (key == "label") {
      found_.labels.push_back(value);
    } else {
      fail("unknown key " + key);
    }
  }

  void require_whole() {
    for (const char* key : {"leansort_model", "name", "size", "fit", "fill", "temperature", "reject_below"})
      if (!seen_.count(key)) fail(std::string(key) + " is missing");
    if (found_.files.empty()) fail("file is missing");
    if (found_.labels.size() < 2) fail("fewer than two labels");
    if (seen_.count("novelty") != seen_.count("novelty_zero") || seen_.count("novelty") != seen_.count("novelty_span"))
      fail("novelty, novelty_zero and novelty_span go together");
    if (seen_.count("novelty")) found_.novelty = scale_;
  }

  // By the classic locale: a program's own may write 0,5 for 0.5.
  double number(const std::string& value, double least, double most) {
    std::istringstream text(value);
    text.imbue(std::locale::classic());
    double got = std::numeric_limits<double>::quiet_NaN();
    text >> got;
    if (text.fail() || !text.eof() || !(got >= least && got <= most))
      fail("got " + value + ", which is no number allowed here");
    return got;
  }

  GraphFile graph_file(const std::string& value) {
    std::istringstream text(value);
    text.imbue(std::locale::classic());
    GraphFile file;
    text >> file.name >> file.length >> std::hex >> file.checksum;
    const bool inside = std::filesystem::path(file.name).filename() == file.name;
    if (text.fail() || !text.eof() || !inside) fail("got " + value + ", need a file's name, length and checksum");
    return file;
  }

  Fit fit(const std::string& value) {
    if (value == "pad") return Fit::pad;
    if (value == "stretch") return Fit::stretch;
    if (value == "crop") return Fit::crop;
    fail("fit: got " + value + ", allowed: crop, pad, stretch");
  }

  std::string method(const std::string& value) {
    for (const char* known : methods)
      if (value == known) return value;
    fail("novelty: got " + value + ", which this runtime does not compute");
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error("model: " + file_.string() + ", line " + std::to_string(number_) + ": " + why);
  }

  std::filesystem::path file_;
  int number_ = 0;
  std::set<std::string> seen_;
  Settings found_;
  NoveltyScale scale_;
};

}  // namespace settings

inline Settings Settings::read(const std::filesystem::path& file) { return settings::Reader(file).read(); }

}  // namespace leansort
