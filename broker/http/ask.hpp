// broker/http/ask.hpp
//
// Questions to shards and the store, as coroutines: what is asked and what is answered live on the
// heap until both sides have done with them, so that a dialogue may end at any time.
//
// Edge. Called on shard 0. A question runs on its shard and refers to nothing of the asking side.
#pragma once

#include <memory>
#include <vector>

#include "broker/http/control.hpp"

namespace naru::broker {

template <class Answer>
using Question = std::function<Answer(ShardCore&)>;

template <class Answer>
awaitable<Answer> ask(Control* control, std::uint16_t shard, Question<Answer> question) {
  auto answer = std::make_shared<Answer>();
  std::function<void(ShardCore&)> run = [answer, question](ShardCore& core) {
    *answer = question(core);
  };
  auto running = control->run(shard, std::move(run));
  co_await std::move(running);
  co_return std::move(*answer);
}

// The answers of all shards, in their order.
template <class Answer>
awaitable<std::vector<Answer>> ask_all(Control* control, Question<Answer> question) {
  std::vector<Answer> answers;
  for (std::uint16_t shard = 0; shard < control->shards(); ++shard) {
    auto asking = ask<Answer>(control, shard, question);
    Answer answer = co_await std::move(asking);
    answers.push_back(std::move(answer));
  }
  co_return answers;
}

// The same of the store, on its reader thread.
template <class Answer>
awaitable<Answer> ask_store(Control* control,
                            std::function<Answer(const storage::KvStore&)> question) {
  auto answer = std::make_shared<Answer>();
  std::function<void(const storage::KvStore&)> run =
      [answer, question](const storage::KvStore& store) { *answer = question(store); };
  auto reading = control->read(std::move(run));
  co_await std::move(reading);
  co_return std::move(*answer);
}

}  // namespace naru::broker
