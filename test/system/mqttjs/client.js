// One MQTT.js client that does what its standard input says; ../spoken_client.py has the words.
'use strict'
const readline = require('readline')
const fs = require('fs')
// The libraries are where test/run.sh installs them, outside of this folder.
const mqtt = require(process.argv[2] + '/node_modules/mqtt')

let client = null
const say = (word, fields = []) =>
  console.log([word, ...fields.map(([name, value]) => `${name}=${value}`)].join(' '))

function words(line) {
  const [word, ...rest] = line.split(' ')
  const pairs = rest.map((each) => {
    const at = each.indexOf('=')
    return [each.slice(0, at), each.slice(at + 1)]
  })
  const all = (name) => pairs.filter(([key]) => key === name).map(([, value]) => value)
  return { word, all, get: (name) => all(name)[0] }
}

function connect(w) {
  const version = Number(w.get('version'))
  const options = {
    protocolVersion: version,
    clientId: w.get('id'),
    clean: w.get('clean') !== '0',
    username: w.get('user'),
    password: w.get('password'),
    reconnectPeriod: 0,
    connectTimeout: 15000,
    keepalive: Number(w.get('keepalive') || 30)
  }
  if (w.get('ca')) options.ca = fs.readFileSync(w.get('ca'))
  if (w.get('will_topic')) {
    options.will = {
      topic: w.get('will_topic'),
      payload: Buffer.from(w.get('will_payload') || '', 'hex'),
      qos: Number(w.get('will_qos') || 0),
      retain: w.get('will_retain') === '1'
    }
  }
  if (version === 5) options.properties = { sessionExpiryInterval: Number(w.get('expiry') || 0) }
  client = mqtt.connect(w.get('url'), options)
  let answered = false
  client.on('connect', (connack) => {
    answered = true
    say('connected', [['session', connack.sessionPresent ? 1 : 0]])
  })
  client.on('error', (error) => {
    if (!answered) say('refused', [['code', error.code]])
    answered = true
    console.error(String(error))
  })
  client.on('close', () => { if (!client.disconnecting) say('lost') })
  client.on('message', tell)
}

function tell(topic, payload, packet) {
  const p = packet.properties || {}
  const fields = [['topic', topic], ['qos', packet.qos], ['retain', packet.retain ? 1 : 0],
    ['payload', payload.toString('hex')]]
  if (p.contentType !== undefined) fields.push(['content_type', p.contentType])
  if (p.responseTopic !== undefined) fields.push(['response_topic', p.responseTopic])
  if (p.correlationData !== undefined) {
    fields.push(['correlation', p.correlationData.toString('hex')])
  }
  if (p.messageExpiryInterval !== undefined) fields.push(['expiry', p.messageExpiryInterval])
  if (p.subscriptionIdentifier !== undefined) {
    for (const id of [].concat(p.subscriptionIdentifier)) fields.push(['subscription_id', id])
  }
  for (const [key, values] of Object.entries(p.userProperties || {})) {
    for (const value of [].concat(values)) fields.push(['user', `${key}:${value}`])
  }
  say('message', fields)
}

function publish(w) {
  const options = { qos: Number(w.get('qos')), retain: w.get('retain') === '1' }
  const p = {}
  if (w.get('content_type')) p.contentType = w.get('content_type')
  if (w.get('response_topic')) p.responseTopic = w.get('response_topic')
  if (w.get('correlation')) p.correlationData = Buffer.from(w.get('correlation'), 'hex')
  if (w.get('expiry')) p.messageExpiryInterval = Number(w.get('expiry'))
  for (const each of w.all('user')) {
    const [key, value] = each.split(':')
    p.userProperties = p.userProperties || {}
    p.userProperties[key] = (p.userProperties[key] || []).concat(value)
  }
  if (Object.keys(p).length > 0) options.properties = p
  client.publish(w.get('topic'), Buffer.from(w.get('payload') || '', 'hex'), options,
    (error) => error ? say('failed', [['code', error.code]]) : say('published'))
}

function subscribe(w) {
  const options = { qos: Number(w.get('qos')) }
  if (w.get('subscription_id')) {
    options.properties = { subscriptionIdentifier: Number(w.get('subscription_id')) }
  }
  client.subscribe(w.get('topic'), options, (error, granted, packet) => {
    const code = packet ? packet.granted[0] : granted && granted[0] ? granted[0].qos : -1
    say('subscribed', [['code', code]])
  })
}

const actions = {
  connect,
  publish,
  subscribe,
  unsubscribe: (w) => client.unsubscribe(w.get('topic'), () => say('unsubscribed')),
  disconnect: () => client.end(false, () => say('disconnected'))
}
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const w = words(line)
  actions[w.word](w)
}).on('close', () => process.exit(0))
