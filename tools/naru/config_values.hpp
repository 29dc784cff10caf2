// tools/naru/config_values.hpp
//
// A configuration as JSON: every option with the value in force, defaults included; and what is
// wrong with one.
//
// Sans-IO but for what prints. Lives on any thread; pure.
#pragma once

#include "broker/app/config.hpp"
#include "broker/app/config_file.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {

// {"global": {KEY: VALUE}, "listeners": [{"name": ..., KEY: VALUE}], "streams": [...],
// "rules": [...]}. Numbers and booleans are such; times, sizes and words are the text that a file
// would have; an option that is not set is null; a secret is "(hidden)".
Json config_values(const broker::Config& config);

// "error" or "notice".
const char* kind_of(const broker::Problem& problem);
// {"file", "good", "problems": [{"kind", "file", "line", "text"}]}
Json judgement(const std::string& file, bool good, const std::vector<broker::Problem>& problems);
// Of a file that is wrong: as JSON to stdout, else each as an error.
void print_problems(const std::string& file, const std::vector<broker::Problem>& problems,
                    bool json);

}  // namespace naru::tools
