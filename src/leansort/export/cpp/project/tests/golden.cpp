// Holds this runtime to what Python's said when the folder was written: pixels bit for bit, probabilities within a
// tolerance, since another processor adds up in another order.
//
//     leansort_golden FOLDER
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include "leansort.hpp"

namespace {

using leansort::Image;

int faults = 0;
double largest_gap = 0;

void require(bool holds, const std::string& what) {
  if (holds) return;
  ++faults;
  std::cerr << "FAILED: " << what << std::endl;
}

std::uint32_t checksum(const Image& image) { return leansort::crc32(image.data.data(), image.data.size()); }

// How far pixels are from those that a file holds.
std::string distance(const Image& image, const std::string& file) {
  const std::vector<std::uint8_t> wanted = leansort::read_file(file);
  if (wanted.size() != image.data.size()) return "of another number";
  int most = 0, count = 0;
  for (std::size_t at = 0; at < wanted.size(); ++at) {
    const int apart = std::abs(wanted[at] - image.data[at]);
    most = std::max(most, apart);
    count += apart > 0;
  }
  return std::to_string(count) + " of " + std::to_string(wanted.size()) + " values differ, by up to " +
         std::to_string(most);
}

// Whether a decision is the one that Python made, where novelty and probability do not stand at a threshold.
bool is_decided_alike(const leansort::Prediction& made, double novelty, bool accepted, double reject_below) {
  if (made.novelty && (std::abs(*made.novelty - novelty) > 0.05 * std::max(1.0, novelty))) return false;
  const bool close = std::abs(made.probability - reject_below) < 0.02 || std::abs(novelty - 1.0) < 0.05;
  return close || made.accepted == accepted;
}

// photo NAME CHECKSUM INDEX NOVELTY ACCEPTED PROBABILITY...; the novelty is -1 of a model that does not tell it
void check_photo(leansort::Classifier& classifier, const std::string& folder, double tolerance, std::istream& line) {
  std::string name;
  std::uint32_t wanted = 0;
  std::size_t index = 0;
  double novelty = 0;
  int accepted = 0;
  line >> name >> std::hex >> wanted >> std::dec >> index >> novelty >> accepted;
  std::vector<double> probabilities;
  for (double item = 0; line >> item;) probabilities.push_back(item);
  const std::string path = folder + "/" + name;
  const std::vector<std::uint8_t> data = leansort::read_file(path);
  const Image pixels = classifier.pixels({data.data(), data.size()});
  require(checksum(pixels) == wanted, name + ": pixels: " + distance(pixels, path + ".rgb"));
  const leansort::Prediction made = classifier.run(pixels);
  require(made.probabilities.size() == probabilities.size(), name + ": number of classes");
  if (made.probabilities.size() != probabilities.size()) return;
  double gap = 0;
  for (std::size_t at = 0; at < probabilities.size(); ++at)
    gap = std::max(gap, std::abs(probabilities[at] - made.probabilities[at]));
  largest_gap = std::max(largest_gap, gap);
  require(gap <= tolerance, name + ": probabilities are " + std::to_string(gap) + " apart");
  std::sort(probabilities.rbegin(), probabilities.rend());
  const bool clear = probabilities[0] - probabilities[1] > 2 * tolerance;
  require(!clear || made.index == index, name + ": label " + made.label);
  require((novelty >= 0) == made.novelty.has_value(), name + ": whether novelty is told");
  const bool alike = is_decided_alike(made, novelty, accepted != 0, classifier.settings().reject_below);
  require(alike, name + ": novelty " + std::to_string(made.novelty.value_or(-1)) + ", Python's " +
                     std::to_string(novelty) + (made.accepted ? ", accepted" : ", rejected"));
}

leansort::Fit fit_of(const std::string& name) {
  return name == "pad" ? leansort::Fit::pad : name == "crop" ? leansort::Fit::crop : leansort::Fit::stretch;
}

// frame WIDTH HEIGHT SIZE FIT FILL CHECKSUM, of bytes that both sides compute; once more as BGR, in longer rows.
void check_frame(std::istream& line) {
  leansort::Frame frame;
  leansort::Preprocess preprocess;
  std::string fit;
  std::uint32_t wanted = 0;
  line >> frame.width >> frame.height >> preprocess.size >> fit >> preprocess.fill >> std::hex >> wanted;
  preprocess.fit = fit_of(fit);
  const auto width = static_cast<std::size_t>(frame.width), height = static_cast<std::size_t>(frame.height);
  std::vector<std::uint8_t> rgb(width * height * 3), bgr((width * 3 + 5) * height);
  for (std::size_t at = 0; at < rgb.size(); ++at)
    rgb[at] = static_cast<std::uint8_t>(static_cast<std::uint32_t>(at) * 2654435761u >> 24);
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width * 3; ++x)
      bgr[y * (width * 3 + 5) + x] = rgb[y * width * 3 + x / 3 * 3 + 2 - x % 3];
  const std::string name = "frame of " + std::to_string(width) + " x " + std::to_string(height) + ", " + fit;
  frame.data = rgb.data();
  require(checksum(preprocess(frame)) == wanted, name);
  frame.data = bgr.data();
  frame.order = leansort::Order::bgr;
  frame.stride = width * 3 + 5;
  require(checksum(preprocess(frame)) == wanted, name + ", BGR");
}

// Frames that cannot be used are refused before anything is read of them.
void check_refusals() {
  const std::uint8_t pixel[3] = {1, 2, 3};
  for (const leansort::Frame& frame : {leansort::Frame{}, leansort::Frame{pixel, 0, 1}, leansort::Frame{pixel, 1, -1},
                                       leansort::Frame{pixel, 1, 1, leansort::Order::rgb, 2}}) {
    bool refused = false;
    try {
      leansort::Preprocess()(frame);
    } catch (const leansort::Error&) {
      refused = true;
    }
    require(refused, "a frame without pixels is refused");
  }
}

int check(const std::string& folder) {
  std::ifstream lines(folder + "/golden.txt");
  require(static_cast<bool>(lines), folder + "/golden.txt cannot be read");
  leansort::Classifier classifier(LEANSORT_MODEL);
  check_refusals();
  double tolerance = 0;
  int photos = 0, frames = 0;
  for (std::string text; std::getline(lines, text);) {
    std::istringstream line(text);
    line.imbue(std::locale::classic());
    std::string kind;
    line >> kind;
    if (kind == "tolerance") line >> tolerance;
    if (kind == "photo") check_photo(classifier, folder, tolerance, line), ++photos;
    if (kind == "frame") check_frame(line), ++frames;
  }
  require(photos > 0 && frames > 0 && tolerance > 0, "golden.txt is not whole");
  std::cout << photos << " photos and " << frames << " frames, " << faults << " faults; probabilities are at most "
            << largest_gap << " apart, " << tolerance << " allowed" << std::endl;
  return faults ? 1 : 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return check(count > 1 ? words[1] : "golden");
  } catch (const std::exception& error) {
    std::cerr << "FAILED: " << error.what() << std::endl;
    return 1;
  }
}
