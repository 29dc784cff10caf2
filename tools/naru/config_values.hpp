// tools/naru/config_values.hpp
//
// A configuration as JSON: every option with the value in force, defaults included.
//
// Sans-IO. Lives on any thread; pure.
#pragma once

#include "broker/app/config.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {

// {"global": {KEY: VALUE}, "listeners": [{"name": ..., KEY: VALUE}], "streams": [...],
// "rules": [...]}. Numbers and booleans are such; times, sizes and words are the text that a file
// would have; an option that is not set is null; a secret is "(hidden)".
Json config_values(const broker::Config& config);

}  // namespace naru::tools
