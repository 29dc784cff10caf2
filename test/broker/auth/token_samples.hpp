// test/broker/auth/token_samples.hpp
//
// Keys made with openssl for tests alone, and tokens signed by it with their private halves, which
// nobody has kept; the HS256 token is made by Python's hmac.
//
// Sans-IO constants.
#pragma once

#include <string_view>

namespace naru::test {

inline constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";
inline constexpr std::string_view rsa_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmPedbEpJLQdMUN3xFXvm\n"
    "tj0d2FP14QsBQlYA7BPyrVagssgNtJUWD5lfCBRYaLv2HSLRY/Uvf7lyilQgYP4p\n"
    "bw7UhEuj1+QV6t7JdCRBhLatRFe9FWIaOjKWpHqn2yrO/VKwtb8meTEsfNCwEtcf\n"
    "dIajmjVFQWOMa4lJdp0xfUJmr+xDUyhrBqHfp3JMJfwY3o3wMgtAaERBtqOmSqvi\n"
    "POy7j2xqLdVxG56f9IF6dQ7NyJVBZuM6At3ISjI9UobM+iYv7OiC+59fF/kVhU22\n"
    "CD6YDXI1InGpJZpZnaUKrV9wjubNdIXqpzsvCPch7bH333z141TLqKh+tSkRlLjn\n"
    "tQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view ec_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgmyFBktFZUKXk0kSNbsbq+CLiyC0\n"
    "SFqRyfxI6gjH3fo/DZ9OBlvqMFFVZLpjPKnbx9KNmyPNXCh0N8KDCUuNNQ==\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view small_rsa_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDSL8NBfMikD1VPq3etcJy94LZZ\n"
    "WEXOlJBZj+3m595COdz2oZAgwUHGZsrMvrwLwqO1rCKkmY1rDJlYTePOfdr9sl6c\n"
    "HddFnQIwKVlUKclMYAwdVZZSYVVaaX40anhxu6RcGELyuWOStacRPUJwTu4zSYe7\n"
    "BlkCYSA6rUcQi5zNKwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view p384_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE0SE212P7enqQGniqhXHYTNIm0ehul96K\n"
    "TPXyWkpBgWJnVu+tFrN7sa4rcaOVnXTKb9Z2rxlj4XkTb84RN0J2F4aZvkhskM1r\n"
    "amdnFNOTIHyo1vDPWd1gqJ7O3vSSiiCA\n"
    "-----END PUBLIC KEY-----\n";

// {"sub": "car1", "exp": 2000000000} in each.
inline constexpr std::string_view secret_token =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYXIxIiwiZXhwIjoyMDAwMDAwMDAwfQ.PpPw"
    "t4DDRYWY3jIPX5r_Lyn3Z7e1YxnVv1cMETUTuoo";
inline constexpr std::string_view rsa_token =
    "eyJhbGciOiAiUlMyNTYifQ.eyJzdWIiOiAiY2FyMSIsICJleHAiOiAyMDAwMDAwMDAwfQ.MmRF4j6ReGz96H"
    "4o26v_1SIoJrzjEF39HXS6YZR2zJLOIjbEbJ6bpORHVlM4kdFbgb-GC-xBoSBnhRWBVRCdsA13k8gChGwgXF"
    "-zbP5_sU3-Jd0t57hgzJxiO6M4M53uF6PL0VN3VhbwYDE0XSxpw_7jm9JPXRCktaw_SIQhmJfrRlJLzeQ8uR"
    "Yd2NhIG6mvZLvbbrEV9MoGnb2DYGjcLZ-3xYvO1OhgJcaLM1y9WLO34Z96UEQFm9MhBQcgHrd015ub1HEXY5"
    "VrTMG9n7tQpWZNExNLnnViril6lMqQJpG9udcAqxpn7SErCOSz8suWVgVhcVja3zPEiYvb2GU4dA";
inline constexpr std::string_view ec_token =
    "eyJhbGciOiAiRVMyNTYifQ.eyJzdWIiOiAiY2FyMSIsICJleHAiOiAyMDAwMDAwMDAwfQ.CWfHqUj3X8MeiW"
    "6oTL3hnuyONyU-atOZyECoItEdbUxkmH6jaUYiNo2Cydk5I_vL3dlv9HWI2AYw6ossRxBnxA";

}  // namespace naru::test
