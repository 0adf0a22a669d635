// Classifies JPEG photos and prints a line for each: photo, label, confidence, known or unknown, accepted or rejected.
//
//     leansort_predict [--model FOLDER] [--threads N] [--pixels] [--time] PHOTO... | -
//
// Without --model it takes that of the folder that it was built from. `-` reads paths from standard input, a line each,
// and answers each at once. Exit code 1: a photo could not be read, and the others are classified all the same; 2:
// nothing was begun.
#include <chrono>
#include <cstdio>
#include <exception>
#include <iomanip>
#include <iostream>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include "leansort.hpp"

namespace {

const char* const usage = "usage: leansort_predict [--model FOLDER] [--threads N] [--pixels] [--time] PHOTO... | -";

struct Options {
  std::string model = LEANSORT_MODEL;
  int threads = 1;
  bool pixels = false;  // also print the hash of the network's input, by which it is compared with Python's
  bool time = false;    // also print the microseconds from the path to the decision
  std::vector<std::string> photos;
};

// A name on one line, and nothing in it that a terminal obeys.
std::string printable(const std::string& text) {
  std::ostringstream shown;
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (code >= 32 && code != 127)
      shown << letter;
    else
      shown << "\\x" << std::hex << std::setw(2) << std::setfill('0') << static_cast<int>(code);
  }
  return shown.str();
}

int threads_of(const std::string& text) {
  std::istringstream number(text);
  int threads = 0;
  if (!(number >> threads) || !number.eof()) throw leansort::Error("--threads: got " + text + ", need a whole number");
  return threads;
}

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  bool only_photos = false;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& word = arguments[at];
    const bool takes_value = word == "--model" || word == "--threads";
    if (only_photos || word.size() < 2 || word[0] != '-') {
      options.photos.push_back(word);
    } else if (word == "--") {
      only_photos = true;
    } else if (takes_value && at + 1 < arguments.size()) {
      const std::string& value = arguments[++at];
      if (word == "--model") options.model = value;
      else options.threads = threads_of(value);
    } else if (word == "--pixels") {
      options.pixels = true;
    } else if (word == "--time") {
      options.time = true;
    } else {
      throw leansort::Error((takes_value ? word + " needs a value; " : "no option " + word + "; ") + usage);
    }
  }
  if (options.photos.empty()) throw leansort::Error(std::string("no photo is named; ") + usage);
  return options;
}

std::string line(const std::string& photo, const leansort::Prediction& made) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << printable(photo) << '\t' << made.label << '\t' << std::fixed << std::setprecision(4) << made.probability
       << '\t' << (made.known ? (*made.known ? "known" : "unknown") : "-") << '\t'
       << (made.accepted ? "accepted" : "rejected");
  return text.str();
}

// Classify one photo and print its line, or why there is none; returns whether there is one.
bool answer(leansort::Classifier& classifier, const std::string& photo, const Options& options) {
  try {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::uint8_t> data = leansort::read_file(photo);
    const leansort::Image input = classifier.pixels({data.data(), data.size()});
    const leansort::Prediction made = classifier.run(input);
    const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - start;
    std::cout << line(photo, made);
    if (options.pixels)
      std::cout << '\t' << std::hex << std::setw(8) << std::setfill('0')
                << leansort::crc32(input.data.data(), input.data.size()) << std::dec;
    if (options.time) std::cout << '\t' << std::fixed << std::setprecision(1) << taken.count();
    std::cout << std::endl;
    return true;
  } catch (const leansort::UnreadableImage& error) {
    std::cerr << printable(photo) << ' ' << error.what() << std::endl;
  } catch (const leansort::Error& error) {
    std::cerr << printable(photo) << ": " << error.what() << std::endl;
  }
  return false;
}

int run(const std::vector<std::string>& arguments) {
  const Options options = parse(arguments);
  leansort::Classifier classifier(options.model, options.threads);
  bool whole = true;
  for (const std::string& photo : options.photos) {
    if (photo != "-") {
      whole = answer(classifier, photo, options) && whole;
      continue;
    }
    for (std::string path; std::getline(std::cin, path);) whole = answer(classifier, path, options) && whole;
  }
  return whole ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  std::vector<std::string> arguments(words + 1, words + count);
  if (count == 2 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::puts(usage);
    return 0;
  }
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "error: " << printable(error.what()) << std::endl;
    return 2;
  }
}
