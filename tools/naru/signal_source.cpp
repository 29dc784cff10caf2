// tools/naru/signal_source.cpp
#include "tools/naru/signal_source.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "storage/base/check.hpp"

namespace naru::tools {
namespace {

// Seoul, where the made-up fleet lives.
constexpr double home_longitude = 126.978;
constexpr double home_latitude = 37.5665;
constexpr double home_spread = 0.08;      // Degrees.
constexpr double km_per_degree = 111.32;  // Of latitude, and of longitude at the equator.
constexpr double acceleration = 6.0;      // km/h gained in a second.
constexpr double braking = 9.0;           // km/h lost in a second.
constexpr double fuel_per_km = 0.15;      // Percent of the tank.
constexpr double idle_fuel = 0.0004;      // Percent of the tank in a second.
constexpr double warm_coolant = 90;
constexpr double idle_rpm = 800;

// Speeds at which the next gear begins, and how fast the engine turns per km/h in that gear.
struct Gear {
  double from_speed;
  double rpm_per_kmh;
};
constexpr std::array gears = {Gear{0, 120}, Gear{18, 68}, Gear{35, 46}, Gear{52, 36}, Gear{75, 29}};

constexpr std::array target_speeds = {0.0, 30.0, 50.0, 50.0, 60.0, 80.0, 100.0};

double rounded(double value, double step) { return std::round(value / step) * step; }

void append_signal(std::string& json, const char* name, double value, int decimals) {
  char text[64];
  const int n = std::snprintf(text, sizeof text, ",\"%s\":%.*f", name, decimals, value);
  NARU_CHECK(n > 0 && n < static_cast<int>(sizeof text));
  json.append(text, static_cast<std::size_t>(n));
}

}  // namespace

double between(Rng& random, double low, double high) {
  return low + (high - low) * (static_cast<double>(random.next() >> 11) * 0x1p-53);
}

Replay::Replay(const Recording& recording, std::size_t first_row)
    : recording_(recording), row_(first_row % recording.rows()) {}

void Replay::append_next(std::string& json) {
  append_signals(json, recording_, row_);
  row_ = (row_ + 1) % recording_.rows();
}

MadeUpDrive::MadeUpDrive(std::uint64_t seed)
    : random_(seed),
      heading_(between(random_, 0, 360)),
      longitude_(home_longitude + between(random_, -home_spread, home_spread)),
      latitude_(home_latitude + between(random_, -home_spread, home_spread)),
      odometer_(rounded(between(random_, 500, 90'000), 0.1)),
      fuel_(between(random_, 25, 100)) {}

void MadeUpDrive::append_next(std::string& json) {
  drive_one_second();
  append_signal(json, "speed", speed_, 1);
  append_signal(json, "engine_rpm", engine_rpm(), 0);
  append_signal(json, "lon", longitude_, 6);
  append_signal(json, "lat", latitude_, 6);
  append_signal(json, "heading", heading_, 0);
  append_signal(json, "fuel_tank", fuel_, 2);
  append_signal(json, "coolant_temperature", coolant_, 1);
  append_signal(json, "odometer", odometer_, 3);
}

void MadeUpDrive::choose_stretch() {
  target_speed_ = target_speeds[random_.below(target_speeds.size())];
  stretch_left_ = target_speed_ > 0 ? 20 + static_cast<int>(random_.below(100))
                                    : 5 + static_cast<int>(random_.below(40));
  heading_ = std::fmod(heading_ + between(random_, -90, 90) + 360, 360);
}

void MadeUpDrive::drive_one_second() {
  if (stretch_left_-- <= 0) choose_stretch();
  const double wanted = target_speed_ > 0 ? target_speed_ + between(random_, -3, 3) : 0;
  speed_ = std::clamp(wanted, std::max(0.0, speed_ - braking), speed_ + acceleration);
  const double km = speed_ / 3600;
  const double radians = heading_ * std::numbers::pi / 180;
  latitude_ += km * std::cos(radians) / km_per_degree;
  longitude_ +=
      km * std::sin(radians) / (km_per_degree * std::cos(latitude_ * std::numbers::pi / 180));
  odometer_ += km;
  fuel_ -= km * fuel_per_km + idle_fuel;
  if (fuel_ < 5) fuel_ = 100;
  coolant_ += (warm_coolant - coolant_) * 0.01;
}

double MadeUpDrive::engine_rpm() const {
  double rpm = idle_rpm;
  for (const Gear& gear : gears) {
    if (speed_ >= gear.from_speed) rpm = std::max(idle_rpm, speed_ * gear.rpm_per_kmh);
  }
  return rpm;
}

}  // namespace naru::tools
