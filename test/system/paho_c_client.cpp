// test/system/paho_c_client.cpp
//
// One client of the paho C library that does what its standard input says; spoken_client.py has
// the words. Blocking calls, and a thread of the library that brings messages.

#include <MQTTClient.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <string>

namespace {

using Fields = std::multimap<std::string, std::string>;

constexpr int wait_ms = 15'000;

std::mutex output;  // The library's thread tells of messages while we answer.
bool mqtt5 = false;
MQTTClient client = nullptr;

void say(const std::string& line) {
  const std::lock_guard lock{output};
  std::cout << line << std::endl;
}

std::string get(const Fields& fields, const std::string& name, const std::string& otherwise = "") {
  const auto found = fields.find(name);
  return found == fields.end() ? otherwise : found->second;
}

int number(const Fields& fields, const std::string& name, int otherwise = 0) {
  const auto found = fields.find(name);
  return found == fields.end() ? otherwise : std::stoi(found->second);
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string to_hex(const char* bytes, int size) {
  std::string hex;
  for (int i = 0; i < size; ++i) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", static_cast<unsigned>(bytes[i]) & 0xffu);
    hex += pair;
  }
  return hex;
}

std::string text(const MQTTLenString& from) {
  return {from.data, static_cast<std::size_t>(from.len)};
}

MQTTLenString borrow(std::string& from) { return {static_cast<int>(from.size()), from.data()}; }

void add_number(MQTTProperties& to, MQTTPropertyCodes id, int value) {
  MQTTProperty property{};
  property.identifier = id;
  property.value.integer4 = static_cast<unsigned>(value);
  MQTTProperties_add(&to, &property);
}

void add_text(MQTTProperties& to, MQTTPropertyCodes id, std::string value, std::string second) {
  MQTTProperty property{};
  property.identifier = id;
  property.value.data = borrow(value);
  property.value.value = borrow(second);
  MQTTProperties_add(&to, &property);  // Copies.
}

// ---- what comes --------------------------------------------------------------------------------

std::string told(const MQTTProperty& property) {
  const auto& value = property.value;
  switch (property.identifier) {
    case MQTTPROPERTY_CODE_CONTENT_TYPE: return " content_type=" + text(value.data);
    case MQTTPROPERTY_CODE_RESPONSE_TOPIC: return " response_topic=" + text(value.data);
    case MQTTPROPERTY_CODE_CORRELATION_DATA:
      return " correlation=" + to_hex(value.data.data, value.data.len);
    case MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL:
      return " expiry=" + std::to_string(value.integer4);
    case MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER:
      return " subscription_id=" + std::to_string(value.integer4);
    case MQTTPROPERTY_CODE_USER_PROPERTY:
      return " user=" + text(value.data) + ":" + text(value.value);
    default: return "";
  }
}

int arrived(void*, char* topic, int topic_size, MQTTClient_message* message) {
  const std::string name = topic_size > 0 ? std::string(topic, static_cast<std::size_t>(topic_size))
                                          : std::string(topic);
  std::string line = "message topic=" + name + " qos=" + std::to_string(message->qos) +
                     " retain=" + std::to_string(message->retained) + " payload=" +
                     to_hex(static_cast<const char*>(message->payload), message->payloadlen);
  for (int i = 0; i < message->properties.count; ++i) line += told(message->properties.array[i]);
  say(line);
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

void lost(void*, char*) { say("lost"); }

// ---- what is asked -----------------------------------------------------------------------------

void create(const Fields& fields) {
  MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
  options.MQTTVersion = mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  MQTTClient_createWithOptions(&client, get(fields, "url").c_str(), get(fields, "id").c_str(),
                               MQTTCLIENT_PERSISTENCE_NONE, nullptr, &options);
  MQTTClient_setCallbacks(client, nullptr, lost, arrived, nullptr);
}

void connect(const Fields& fields) {
  mqtt5 = get(fields, "version") == "5";
  create(fields);
  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  if (mqtt5) options = MQTTClient_connectOptions_initializer5;
  const bool clean = get(fields, "clean", "1") == "1";
  options.MQTTVersion = mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  options.keepAliveInterval = number(fields, "keepalive", 30);
  options.cleansession = !mqtt5 && clean ? 1 : 0;
  options.cleanstart = mqtt5 && clean ? 1 : 0;
  const std::string user = get(fields, "user"), password = get(fields, "password");
  if (!user.empty()) options.username = user.c_str();
  if (!user.empty()) options.password = password.c_str();
  MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;
  const std::string ca = get(fields, "ca");
  ssl.trustStore = ca.c_str();
  ssl.verify = 1;
  if (!ca.empty()) options.ssl = &ssl;
  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  const std::string will_topic = get(fields, "will_topic");
  const std::string will_payload = from_hex(get(fields, "will_payload"));
  will.topicName = will_topic.c_str();
  will.payload = {static_cast<int>(will_payload.size()), will_payload.data()};
  will.qos = number(fields, "will_qos");
  will.retained = number(fields, "will_retain");
  if (!will_topic.empty()) options.will = &will;
  int code = 0;
  if (mqtt5) {
    MQTTProperties properties = MQTTProperties_initializer;
    add_number(properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, number(fields, "expiry"));
    const MQTTResponse response = MQTTClient_connect5(client, &options, &properties, nullptr);
    code = response.reasonCode;
    MQTTResponse_free(response);
    MQTTProperties_free(&properties);
  } else {
    code = MQTTClient_connect(client, &options);
  }
  say(code == 0 ? "connected session=" + std::to_string(options.returned.sessionPresent)
                : "refused code=" + std::to_string(code));
}

MQTTProperties message_properties(const Fields& fields) {
  MQTTProperties to = MQTTProperties_initializer;
  for (const auto& [name, value] : fields) {
    if (name == "content_type") add_text(to, MQTTPROPERTY_CODE_CONTENT_TYPE, value, "");
    if (name == "response_topic") add_text(to, MQTTPROPERTY_CODE_RESPONSE_TOPIC, value, "");
    if (name == "correlation") {
      add_text(to, MQTTPROPERTY_CODE_CORRELATION_DATA, from_hex(value), "");
    }
    if (name == "expiry") {
      add_number(to, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, std::stoi(value));
    }
    if (name == "user") {
      const std::size_t colon = value.find(':');
      add_text(to, MQTTPROPERTY_CODE_USER_PROPERTY, value.substr(0, colon),
               value.substr(colon + 1));
    }
  }
  return to;
}

void publish(const Fields& fields) {
  const std::string topic = get(fields, "topic");
  std::string payload = from_hex(get(fields, "payload"));
  MQTTClient_message message = MQTTClient_message_initializer;
  message.payload = payload.data();
  message.payloadlen = static_cast<int>(payload.size());
  message.qos = number(fields, "qos");
  message.retained = number(fields, "retain");
  int token = 0, code = 0;
  if (mqtt5) {
    message.properties = message_properties(fields);
    const MQTTResponse response =
        MQTTClient_publishMessage5(client, topic.c_str(), &message, &token);
    code = response.reasonCode;
    MQTTResponse_free(response);
    MQTTProperties_free(&message.properties);
  } else {
    code = MQTTClient_publishMessage(client, topic.c_str(), &message, &token);
  }
  if (code >= 0 && message.qos > 0) code = MQTTClient_waitForCompletion(client, token, wait_ms);
  say(code == MQTTCLIENT_SUCCESS ? "published" : "failed code=" + std::to_string(code));
}

void subscribe(const Fields& fields) {
  const std::string topic = get(fields, "topic");
  const int qos = number(fields, "qos");
  int code = 0;
  if (mqtt5) {
    MQTTProperties properties = MQTTProperties_initializer;
    const int id = number(fields, "subscription_id");
    if (id != 0) add_number(properties, MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER, id);
    const MQTTResponse response =
        MQTTClient_subscribe5(client, topic.c_str(), qos, nullptr, &properties);
    code = response.reasonCode;
    MQTTResponse_free(response);
    MQTTProperties_free(&properties);
  } else {
    // The library tells success or 0x80 here; the granted QoS only of many filters.
    std::string filter = topic;
    char* filters[] = {filter.data()};
    int granted[] = {qos};
    code = MQTTClient_subscribeMany(client, 1, filters, granted);
    if (code == MQTTCLIENT_SUCCESS) code = granted[0];
  }
  say("subscribed code=" + std::to_string(code));
}

void unsubscribe(const Fields& fields) {
  const std::string topic = get(fields, "topic");
  if (mqtt5) {
    MQTTResponse_free(MQTTClient_unsubscribe5(client, topic.c_str(), nullptr));
  } else {
    MQTTClient_unsubscribe(client, topic.c_str());
  }
  say("unsubscribed");
}

void disconnect() {
  if (mqtt5) {
    MQTTClient_disconnect5(client, wait_ms, MQTTREASONCODE_SUCCESS, nullptr);
  } else {
    MQTTClient_disconnect(client, wait_ms);
  }
  say("disconnected");
}

void obey(const std::string& line) {
  Fields fields;
  std::string word;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t space = std::min(line.find(' ', at), line.size());
    const std::string each = line.substr(at, space - at);
    const std::size_t equals = each.find('=');
    if (at == 0) {
      word = each;
    } else {
      fields.emplace(each.substr(0, equals), each.substr(equals + 1));
    }
    at = space + 1;
  }
  if (word == "connect") return connect(fields);
  if (word == "publish") return publish(fields);
  if (word == "subscribe") return subscribe(fields);
  if (word == "unsubscribe") return unsubscribe(fields);
  if (word == "disconnect") return disconnect();
  say("failed code=what");
}

}  // namespace

int main() {
  MQTTClient_init_options options = MQTTClient_init_options_initializer;
  options.do_openssl_init = 1;
  MQTTClient_global_init(&options);
  std::string line;
  while (std::getline(std::cin, line)) obey(line);
  std::fflush(stdout);
  std::_Exit(0);
}
