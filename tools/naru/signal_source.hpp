// tools/naru/signal_source.hpp
//
// SignalSource is where a vehicle of the fleet gets its telemetry from: a recording that is
// replayed, or a drive that is made up as it goes.
//
// Sans-IO: no clock; a row follows a row, one second of driving apart. Lives on one thread.
// Owned by: one vehicle. A replay borrows its recording, which must outlive it.
#pragma once

#include <cstddef>
#include <string>

#include "storage/base/rng.hpp"
#include "tools/naru/recording.hpp"

namespace naru::tools {

// Evenly from low up to but not high.
double between(Rng& random, double low, double high);

class SignalSource {
 public:
  virtual ~SignalSource() = default;
  // Appends `,"name":value` for each signal of the next second.
  virtual void append_next(std::string& json) = 0;
};

// Begins somewhere and starts again at the end, so that many vehicles can share one recording.
class Replay final : public SignalSource {
 public:
  // REQUIRES: recording.rows() > 0.
  Replay(const Recording& recording, std::size_t first_row);
  void append_next(std::string& json) override;

 private:
  const Recording& recording_;
  std::size_t row_;
};

// A plausible drive through a town: stretches at a target speed with stops between them, gears,
// a warming engine, a tank that empties and is filled, and a position that agrees with the speed.
class MadeUpDrive final : public SignalSource {
 public:
  explicit MadeUpDrive(std::uint64_t seed);
  void append_next(std::string& json) override;

 private:
  void choose_stretch();
  void drive_one_second();
  double engine_rpm() const;

  Rng random_;
  double speed_ = 0;         // km/h
  double target_speed_ = 0;  // km/h
  int stretch_left_ = 0;     // Seconds until something else happens.
  double heading_;           // Degrees clockwise from north.
  double longitude_;
  double latitude_;
  double odometer_;      // km
  double fuel_;          // Percent of the tank.
  double coolant_ = 20;  // Degrees Celsius.
};

}  // namespace naru::tools
