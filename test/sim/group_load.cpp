#include "test/sim/group_load.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "broker/session/group.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::test {

using mqtt::Qos, mqtt::Version;
using State = ModelClient::State;

// How a member is. What it subscribes to beside its groups matches none of their topics, and no
// two groups of one member match one topic: what it gets says why it gets it.
struct MemberManner {
  const char* id;
  std::array<const char*, 2> filters;
  Version version;
  std::uint32_t session_expiry;
  Qos takes;
  std::uint16_t receive_maximum = 20;
  double unsubscribes = 0;  // Per step.
  double clean_start = 0;   // Of its connections.
  bool sleeps = false;
};

namespace {

constexpr std::uint32_t first_number = 101;     // Clients of the crowd count from 1.
constexpr LinkId first_link = LinkId{1} << 32;  // So do their links, and devices' are higher.
constexpr double present = 0.75;                // Of the members, in one run.
constexpr std::uint32_t forever = 0xffffffff;
constexpr std::uint16_t slow_below = 10;  // Who takes so few at once is slow, too.

// The second is of clean members alone.
constexpr const char* workers = "$share/workers/load/+/1";
constexpr const char* passing = "$share/passing/load/+/2";
constexpr const char* nightly = "$share/night/state/#";
constexpr const char* both = "$share/workers/both/#";
constexpr const char* wills = "wills/#";

// clang-format off
constexpr std::array member_rows = {
  //           id           filters             version          expiry   takes              window  unsubscribes clean
  MemberManner{"steady",    {workers, wills},   Version::v5,     forever, Qos::exactly_once},
  MemberManner{"old",       {workers, nightly}, Version::v3_1_1, forever, Qos::at_least_once},
  MemberManner{"hasty",     {workers, nullptr}, Version::v5,     0,       Qos::exactly_once},
  MemberManner{"shift",     {workers, nullptr}, Version::v5,     forever, Qos::exactly_once,  20, 0,     0,   true},
  MemberManner{"slow",      {workers, nullptr}, Version::v5,     forever, Qos::at_least_once, 3},
  MemberManner{"same",      {workers, nullptr}, Version::v5,     0,       Qos::exactly_once},
  MemberManner{"same",      {workers, both},    Version::v5,     0,       Qos::at_least_once},
  MemberManner{"brief",     {nightly, nullptr}, Version::v5,     3,       Qos::exactly_once,  20, 0,     0,   true},
  MemberManner{"forgetful", {nightly, both},    Version::v5,     forever, Qos::exactly_once,  20, 0,     0.3},
  MemberManner{"fickle",    {nightly, wills},   Version::v5,     forever, Qos::exactly_once,  20, 0.004},
  MemberManner{"single",    {both, workers},    Version::v5,     forever, Qos::exactly_once,  1},
  MemberManner{"sleeper",   {both, nullptr},    Version::v3_1_1, forever, Qos::exactly_once,  20, 0,     0,   true},
  MemberManner{"leaver",    {both, nightly},    Version::v3_1_1, 0,       Qos::at_least_once, 20, 0.004},
  MemberManner{"passing",   {passing, nullptr}, Version::v5,     0,       Qos::at_least_once},
  MemberManner{"passer",    {passing, nullptr}, Version::v3_1_1, 0,       Qos::exactly_once,  20, 0.002},
  MemberManner{"careless",  {passing, nullptr}, Version::v5,     0,       Qos::at_most_once},
};
// clang-format on

ModelOptions options_of(const MemberManner& manner, std::uint32_t number) {
  ModelOptions options;
  options.number = number;
  options.client_id = std::string("member-") + manner.id;
  options.version = manner.version;
  options.clean_start = manner.session_expiry == 0;
  options.session_expiry = manner.session_expiry;
  options.receive_maximum = manner.receive_maximum;
  if (manner.receive_maximum < slow_below) options.ack_delay = Millis{30};
  return options;
}

}  // namespace

struct GroupLoad::Member {
  Member(const MemberManner& how, std::uint32_t number, History& history)
      : manner(how), client(options_of(how, number), history) {
    for (const char* filter : how.filters) {
      if (filter != nullptr) wants.insert(history.intern(filter));
    }
  }

  const MemberManner& manner;
  ModelClient client;
  // Filters. left: by UNSUBSCRIBE, for now; leaving: that has no answer.
  std::set<std::uint32_t> wants, left, leaving, granted;
  // By filter: SUBSCRIBEs without an answer, and how many of these an UNSUBSCRIBE has followed.
  std::map<std::uint32_t, std::size_t> asking, undone;
  bool asked = false;  // On this connection.
  bool awake = true;
  bool gone = false;  // Never comes back.
};

GroupLoad::GroupLoad(const Weather& weather, History& history, Rng rng)
    : weather_(weather), history_(history), rng_(rng), network_(first_link, weather, rng_) {
  for (const MemberManner& manner : member_rows) {
    if (rng_.chance(present)) add(manner);
  }
}

GroupLoad::~GroupLoad() = default;

void GroupLoad::add(const MemberManner& manner) {
  const auto number = static_cast<std::uint32_t>(first_number + members_.size());
  members_.push_back(std::make_unique<Member>(manner, number, history_));
  network_.add(members_.back()->client, manner.receive_maximum < slow_below);
}

// ---- what they see -----------------------------------------------------------------------------

void GroupLoad::scan() {
  const auto& records = history_.records();
  for (; scanned_ < records.size(); ++scanned_) {
    const Record& record = records[scanned_];
    if (record.client < first_number || record.client - first_number >= members_.size()) continue;
    on_record(*members_[record.client - first_number], record);
  }
}

void GroupLoad::on_record(Member& member, const Record& record) {
  switch (record.event) {
    case Event::connack:
      if (record.reason != 0 || record.has(flag::present)) break;
      [[fallthrough]];
    case Event::connect_sent:
    case Event::session_unsure:  // The one that it finds may be another one, and empty.
      member.asking.clear();
      member.undone.clear();
      if (record.event == Event::connect_sent && !record.has(flag::clean_start)) break;
      member.granted.clear();
      member.leaving.clear();
      break;
    case Event::subscribe_sent:
      member.leaving.erase(record.text);
      ++member.asking[record.text];
      break;
    case Event::suback: on_subscribed(member, record); break;
    case Event::unsubscribe_sent:
      member.leaving.insert(record.text);
      member.undone[record.text] = member.asking[record.text];
      [[fallthrough]];
    case Event::unsuback: on_unsubscribed(member, record); break;
    case Event::received: ++received_; break;
    default: break;
  }
}

void GroupLoad::on_subscribed(Member& member, const Record& record) {
  --member.asking[record.text];
  std::size_t& undone = member.undone[record.text];
  if (undone > 0) {  // The UNSUBSCRIBE behind it may have been answered long ago.
    --undone;
  } else if (record.reason > 2) {
    member.asked = false;  // There was no room: it asks again.
  } else if (!member.leaving.contains(record.text)) {
    member.granted.insert(record.text);
  }
}

void GroupLoad::on_unsubscribed(Member& member, const Record& record) {
  if (record.event == Event::unsuback) member.leaving.erase(record.text);
  if (record.reason >= 0x80) member.undone[record.text] = 0;
  if (record.reason < 0x80) {
    member.granted.erase(record.text);
  } else {
    member.granted.insert(record.text);  // It is a member still.
  }
}

// ---- what they do ------------------------------------------------------------------------------

void GroupLoad::ask(Member& member, Instant now) {
  member.asked = true;
  for (const std::uint32_t filter : member.wants) {
    // A goodbye that the broker may not have heard is said again.
    const bool stays_out = member.left.contains(filter);
    if (stays_out && member.leaving.contains(filter)) {
      member.client.unsubscribe(history_.text(filter), now);
    }
    if (stays_out || member.granted.contains(filter)) continue;
    member.client.subscribe({history_.text(filter), member.manner.takes}, now);
  }
}

void GroupLoad::act_online(Member& member, Instant now) {
  if (!member.asked) ask(member, now);
  if (calm_) return;
  if (rng_.chance(member.manner.unsubscribes)) {
    auto filter = member.wants.begin();
    std::advance(filter, rng_.below(member.wants.size()));
    member.client.unsubscribe(history_.text(*filter), now);
    if (rng_.chance(0.5)) {
      member.left.insert(*filter);
    } else {
      member.asked = false;  // And asks for it again, in the same breath.
    }
  } else if (!member.left.empty() && rng_.chance(0.005)) {
    member.left.clear();
    member.asked = false;
  }
  if (!member.awake || rng_.chance(weather_.leave)) member.client.disconnect(now);
}

void GroupLoad::act(std::size_t place, SimNode* node, Instant now) {
  Member& member = *members_[place];
  if (!calm_ && member.manner.sleeps && rng_.chance(0.003)) member.awake = !member.awake;
  const State state = member.client.state();
  if (state == State::closed) {
    const bool comes = member.awake && !member.gone && node != nullptr;
    if (!comes || !rng_.chance(calm_ ? 0.5 : weather_.wake)) return;
    if (member.manner.clean_start > 0) {
      member.client.set_clean_start(!calm_ && rng_.chance(member.manner.clean_start));
    }
    member.asked = false;
    return network_.open(place, *node, now);
  }
  member.client.on_time(now);
  if (state == State::online) act_online(member, now);
  if (!calm_ && rng_.chance(weather_.cut * 2)) network_.cut(place, now);
}

void GroupLoad::step(SimNode* node, Instant now) {
  scan();
  for (std::size_t place = 0; place < members_.size(); ++place) act(place, node, now);
  if (node != nullptr) network_.step(*node, now);
}

void GroupLoad::on_broker_dead(Instant now) {
  network_.on_broker_dead(now);
  scan();
}

// ---- the end -----------------------------------------------------------------------------------

void GroupLoad::calm(Instant now) {
  calm_ = true;
  network_.calm();
  std::set<std::string> ids;
  for (auto& member : members_) {
    member->awake = true;
    // Two of one id cannot both be connected: the second stays away.
    if (ids.insert(member->client.options().client_id).second) continue;
    member->gone = true;
    member->client.disconnect(now);
  }
}

bool GroupLoad::is_settled(const Member& member) const {
  if (member.gone) return member.client.state() == State::closed;
  return member.client.state() == State::online && member.client.is_idle() && member.asked;
}

std::string GroupLoad::unsettled() const {
  std::string who;
  for (const auto& member : members_) {
    if (!is_settled(*member)) who += ' ' + member->client.options().client_id;
  }
  return who;
}

void GroupLoad::note_drained(Instant now) {
  for (const auto& member : members_) {
    if (!member->gone) member->client.note(Event::drained, now);
  }
}

std::vector<std::string> GroupLoad::wrong_members(SimNode& node) const {
  std::map<std::string, std::size_t> members;
  for (const auto& member : members_) {
    if (member->gone) continue;
    for (const std::uint32_t filter : member->granted) {
      const std::string& name = history_.text(filter);
      if (name.starts_with("$share/")) ++members[name];
    }
  }
  std::vector<std::string> wrong;
  std::set<std::string> led;
  for (broker::LaneId lane = 0; lane < cluster::lane_count; ++lane) {
    for (const auto& [id, client] : node.home_of(lane).lane(lane).clients()) {
      if (!broker::is_group(id)) continue;
      const std::string name = id.substr(broker::group_client_id({}).size());
      const std::size_t known = client.session ? client.session->group->size() : 0;
      led.insert(name);
      if (known == members[name] && known > 0) continue;
      wrong.push_back("the leader of " + name + " knows " + std::to_string(known) +
                      " members, and there are " + std::to_string(members[name]));
    }
  }
  for (const auto& [name, count] : members) {
    if (count > 0 && !led.contains(name)) wrong.push_back("nobody leads " + name);
  }
  return wrong;
}

}  // namespace naru::test
