#include "broker/app/failure_limit.hpp"

namespace naru::broker {

namespace {

constexpr std::size_t certificate_bytes = 128;  // Enough to tell them apart.

}  // namespace

RateLimit::Verdict FailureLimit::ask(BytesView address, BytesView certificate, Instant now) {
  if (certificate.empty()) return addresses_.ask(address, now);
  Told& told = told_.put(Bytes{address});
  if (told.until <= now) told = {now + interval, 0};
  if (told.certificates >= certificates_of_address) return addresses_.ask(address, now);
  const Bytes key = Bytes{address} + ' ' + Bytes{certificate.substr(0, certificate_bytes)};
  const RateLimit::Verdict verdict = certificates_.ask(key, now);
  if (verdict.pass) ++told.certificates;
  return verdict;
}

}  // namespace naru::broker
