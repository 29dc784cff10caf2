// tools/naru/password_lines.hpp
//
// Changes to the text of a password_file: one USER:HASH a line, comments begin with '#'. Other
// lines stay as they are.
//
// Sans-IO. Lives on any thread; pure functions. Bounded by the text.
#pragma once

#include <string>
#include <string_view>

namespace naru::tools {

// Puts `line` in the place of the user's, or at the end. `line` has no newline.
void set_user(std::string& text, std::string_view user, std::string_view line);

// False when there is no such user.
bool remove_user(std::string& text, std::string_view user);

}  // namespace naru::tools
