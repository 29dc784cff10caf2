#include "broker/stream/json_fields.hpp"

#include <charconv>

#include <nlohmann/json.hpp>

namespace naru::broker {

namespace {

// Follows the path of names while the parser walks through the text.
class FieldReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  FieldReader(const std::vector<Bytes>& paths, JsonFields& out) : paths_(paths), out_(out) {}

  bool null() override { return true; }
  bool boolean(bool value) override { return found(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return found(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return found(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return found(text); }
  bool string(string_t& value) override { return found(value); }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool key(string_t& name) override {
    path_.resize(starts_.back());
    if (!path_.empty()) path_.push_back('.');
    path_.append(name);
    return true;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override {
    ++arrays_;
    return enter();
  }
  bool end_array() override {
    --arrays_;
    return leave();
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool found(BytesView value) {
    if (arrays_ != 0 || starts_.empty()) return true;
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      if (paths_[i] == path_) out_.values[i] = Bytes{value};
    }
    return true;
  }
  bool enter() {
    starts_.push_back(path_.size());
    return starts_.size() <= json_depth_max;
  }
  bool leave() {
    path_.resize(starts_.back());
    starts_.pop_back();
    return true;
  }

  const std::vector<Bytes>& paths_;
  JsonFields& out_;
  Bytes path_;
  std::vector<std::size_t> starts_;
  std::size_t arrays_ = 0;
};

}  // namespace

JsonFields read_json_fields(BytesView text, const std::vector<Bytes>& paths) {
  JsonFields out;
  out.values.resize(paths.size());
  FieldReader reader{paths, out};
  out.valid = nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  return out;
}

}  // namespace naru::broker
