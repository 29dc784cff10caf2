// broker/http/routes.hpp
//
// One function for each line of the contract (deploy/guide/api.md), one file for each noun.
//
// Edge: coroutines on shard 0. What they answer is finished when they return; a Call is theirs.
#pragma once

#include "broker/http/reply.hpp"

namespace naru::broker {

using Answer = awaitable<HttpResponse>;

// status.cpp
Answer get_status(Call call);

// scrape.cpp
Answer get_metrics(Call call);

// health.cpp
Answer get_live(Call call);
Answer get_ready(Call call);

// clients.cpp
Answer list_clients(Call call);
Answer get_client(Call call);
Answer kick_client(Call call);
Answer end_session(Call call);
Answer list_subscriptions(Call call);

// retained.cpp
Answer list_retained(Call call);
Answer clear_retained(Call call);

// store.cpp
Answer get_store(Call call);
Answer post_backup(Call call);

// commands.cpp
Answer post_command(Call call);
Answer list_commands(Call call);
Answer get_command(Call call);
Answer cancel_command(Call call);

// streams.cpp
Answer list_streams(Call call);
Answer read_records(Call call);
Answer put_consumer(Call call);
Answer list_consumers(Call call);

// configuration.cpp
Answer reload_configuration(Call call);

}  // namespace naru::broker
