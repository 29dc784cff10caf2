// broker/http/http_server.hpp
//
// HttpServer speaks HTTP/1.1 on a Unix socket with whoever may: the process's own user and root.
//
// Edge: Beast and sockets, all of it in http_server.cpp.
// Lives on:   the thread of its io_context (shard 0). start() and stop() are called there, or
//             while nobody runs it.
// Owned by:   the composition root. What the handler refers to must outlive it.
// Bounded by: 256 connections (more wait to be accepted), 16 KiB of header, 1 MiB of body, 60 s
//             without a word.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "broker/http/http_message.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

class HttpServer {
 public:
  HttpServer(boost::asio::io_context& io, std::string path, Handler handler);
  ~HttpServer();  // Stops.
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The socket is there, with mode 0600, when this returns. What a dead process left at the path
  // is replaced; Errc::busy where a living one answers.
  [[nodiscard]] Result<void> start();
  // Nothing is accepted any more, waits end, and each connection closes with its answer.
  void stop();

 private:
  struct Door;
  std::shared_ptr<Door> door_;  // Shared with the dialogues that are still going on.
};

}  // namespace naru::broker
