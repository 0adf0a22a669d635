// From the graph's numbers to a decision: temperature, softmax, reject threshold, novelty.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "leansort/errors.hpp"
#include "leansort/settings.hpp"

namespace leansort {

struct Prediction {
  std::string label;                  // name of the most probable class
  std::size_t index = 0;              // its place among the labels
  double probability = 0;             // calibrated, 0 to 1
  bool accepted = false;              // sure enough, and known where the model rejects what is not
  std::vector<double> probabilities;  // of all classes, in the order of the labels
  std::optional<double> novelty;      // 0 or more, 1 is where known ends; none of a model that does not tell it
  std::optional<bool> known;          // whether the novelty is at most 1
};

namespace decision {

using Numbers = std::vector<double>;

inline Numbers probabilities(const Numbers& logits, double temperature) {
  const double most = *std::max_element(logits.begin(), logits.end());
  Numbers found;
  double whole = 0;
  for (const double logit : logits) {
    found.push_back(std::exp((logit - most) / temperature));
    whole += found.back();
  }
  for (double& item : found) item /= whole;
  return found;
}

// How little the logits resemble those of what is known, by the method's name: the higher, the more novel.
inline double score(const std::string& method, const Numbers& logits, double temperature) {
  Numbers sorted = logits;
  std::sort(sorted.rbegin(), sorted.rend());
  const double most = sorted[0];
  if (method == "max_logit") return -most;
  if (method == "margin") return sorted[1] - most;
  if (method == "energy") {
    double whole = 0;
    for (const double logit : logits) whole += std::exp((logit - most) / temperature);
    return -most - temperature * std::log(whole);
  }
  double sum = 0, highest = 0;
  for (const double p : probabilities(logits, temperature)) {
    highest = std::max(highest, p);
    if (method == "entropy" && p > 0) sum -= p * std::log(p);
    if (method == "generalized_entropy") sum += std::pow(p * (1.0 - p), 0.1);
  }
  return method == "max_softmax" ? 1.0 - highest : sum;
}

// `distance`: the graph's second output; NaN of a graph without one. Throws Error: the logits are not finite.
inline Prediction decide(const Settings& settings, const Numbers& logits, double distance) {
  for (const double logit : logits)
    if (!std::isfinite(logit)) throw Error("the network gives no finite numbers for this picture");
  Prediction made;
  made.index = static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  made.label = settings.labels[made.index];
  made.probabilities = probabilities(logits, settings.temperature);
  made.probability = made.probabilities[made.index];
  made.accepted = made.probability >= settings.reject_below;
  if (settings.novelty) {
    const NoveltyScale& scale = *settings.novelty;
    const double novel =
        scale.method == "mahalanobis" ? distance : score(scale.method, logits, settings.temperature);
    if (std::isfinite(novel)) {
      made.novelty = std::max(0.0, (novel - scale.zero) / scale.span);
      made.known = *made.novelty <= 1.0;
    }
    made.accepted = made.accepted && (made.known.value_or(false) || !scale.reject);
  }
  return made;
}

}  // namespace decision
}  // namespace leansort
