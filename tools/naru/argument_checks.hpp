// tools/naru/argument_checks.hpp
//
// Checks of arguments that several commands share, as CLI11 wants them: the text of the error, or
// nothing.
//
// Sans-IO. Lives anywhere.
#pragma once

#include <string>

namespace naru::tools {

// An unset variable of a script makes an empty argument, which is never meant.
inline std::string refuse_empty(const std::string& text) {
  return text.empty() ? "must not be empty" : "";
}

}  // namespace naru::tools
