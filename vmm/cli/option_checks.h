// Checks of options' values that say in our words what to give instead.
#pragma once

#include <map>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

namespace nestling {

/// `validator`, which says `message` when it refuses, and nothing in the help: the option's type
/// name does.
[[nodiscard]] inline CLI::Validator saying(CLI::Validator validator, std::string message) {
  return {[validator = std::move(validator), message = std::move(message)](std::string& input) {
            try {
              return validator(input).empty() ? std::string() : message;
            } catch (const CLI::ValidationError&) {
              return message;
            }
          },
          ""};
}

/// The value of `names` that the text of an option names; the option's check saw to it that one
/// does.
template <typename Value>
[[nodiscard]] CLI::Validator one_of(const std::map<std::string, Value>& names,
                                    const std::string& choices) {
  return saying(CLI::CheckedTransformer(names), "give one of " + choices);
}

}  // namespace nestling
