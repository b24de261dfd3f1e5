//! Owns a service that the code does not know: Debian's redis-server, as provider and as consumer, from manifests alone.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target uses a part of it"
)]

use crate::inspect::free_port;
use crate::node::TestNode;

const PROVIDER: &str = r##"manifest = 1
id = "redis"
title = "Redis"
summary = "Keeps keys and values."

[version]
current = "7.0.15"
minimum_safe = "6.0.0"
reason = "users with rights of their own came with 6.0"
probe_args = ["--version"]

[program]
command = "redis-server"
args = ["{{ file.conf.path }}"]
stop_signal = "TERM"
stop_grace_seconds = 30

[volumes.data]
class = "critical"
holds = "What was written."
needs_mib = { default = 16 }

[ports.redis]
number = { default = 6379 }

[interfaces.redis]
port = "redis"
credential = "token"
allows = ["data", "look", "replicate"]

[node.redis]
allow = ["look"]

[files.conf]
name = "redis.conf"
template = '''
bind {{ interface.redis.binds | map(attribute="host") | unique | join(" ") }}
port {{ port.redis }}
daemonize no
dir {{ volume.data.path | tojson }}
appendonly yes
appendfsync always
save ""
maxmemory {{ setting.maxmemory_mib }}mb
databases {{ setting.databases }}
repl-ping-replica-period 1
repl-diskless-sync-delay 0
user default off
{% for consumer in interface.redis.consumers %}
user {{ consumer.user }} on >{{ consumer.password }} resetkeys resetchannels -@all {% for grant in consumer.allow %}{{ {"look": "+info +ping ", "replicate": "+psync +replconf +ping ", "data": "~* +@read +@write +@keyspace "}[grant] }}{% endfor %}

{% endfor %}
'''

[settings.maxmemory_mib]
type = "integer"
default = 32
min = 8
max = 1024
unit = "MiB"
help = "Memory for keys and values."

[settings.databases]
type = "integer"
default = 4
min = 1
max = 64
help = "Numbered databases."

[probes.replication]
kind = "tcp"
port = "redis"
credential = "redis"
send = "AUTH {{ node_credential.redis.user }} {{ node_credential.redis.password }}\r\nINFO replication\r\nQUIT\r\n"
until = "repl_backlog_histlen:"
timeout_ms = 1000

[[health.alive]]
when = [{ probe = "replication", answered = true }]
ok = true
code = "alive"
text = "Redis answers."

[[health.alive]]
ok = false
code = "no_answer"
text = "Redis does not answer."

[[health.ready]]
when = [{ probe = "replication", contains = "role:master" }]
ok = true
code = "ready"
text = "Redis serves."

[[health.ready]]
when = [{ probe = "replication", answered = true }]
ok = false
code = "refused"
text = "Redis refuses the node's credential."

[[health.ready]]
ok = false
code = "starting"
text = "Redis does not answer yet."

[limits]
memory_mib = { small = 256, medium = 256, large = 512 }
pids = 64

[endpoints.redis]
port = "redis"
scheme = "tcp"
"##;

const CONSUMER: &str = r##"manifest = 1
id = "redis-replica"
title = "Redis replica"
summary = "Follows another Redis."

[version]
current = "7.0.15"
minimum_safe = "6.0.0"
reason = "users with rights of their own came with 6.0"
probe_args = ["--version"]

[program]
command = "redis-server"
args = ["{{ file.conf.path }}"]
stop_signal = "TERM"
stop_grace_seconds = 30

[volumes.data]
class = "rebuildable"
holds = "A copy of what the other one has."
needs_mib = { default = 16 }

[ports.redis]
number = { default = 6390 }

[interfaces.redis]
port = "redis"
credential = "token"
allows = ["look", "read"]

[node.redis]
allow = ["look", "read"]

[edges.primary]
to = "redis"
interface = "redis"
allow = ["data", "replicate"]
on_loss = "rides_out"
waits_for = "ready"

[files.conf]
name = "redis.conf"
template = '''
bind {{ interface.redis.binds | map(attribute="host") | unique | join(" ") }}
port {{ port.redis }}
daemonize no
dir {{ volume.data.path | tojson }}
save ""
replicaof {{ edge.primary.host }} {{ edge.primary.port }}
masteruser {{ edge.primary.user }}
masterauth {{ edge.primary.password }}
repl-timeout {{ setting.link_timeout_seconds }}
repl-diskless-load on-empty-db
user default off
{% for consumer in interface.redis.consumers %}
user {{ consumer.user }} on >{{ consumer.password }} resetkeys resetchannels -@all {% for grant in consumer.allow %}{{ {"look": "+info +ping ", "read": "~* +@read "}[grant] }}{% endfor %}

{% endfor %}
'''

[settings.link_timeout_seconds]
type = "integer"
default = 3
min = 2
max = 600
unit = "s"
help = "How long the other one may be silent."

[probes.replication]
kind = "tcp"
port = "redis"
credential = "redis"
send = "AUTH {{ node_credential.redis.user }} {{ node_credential.redis.password }}\r\nINFO replication\r\nQUIT\r\n"
until = "repl_backlog_histlen:"
timeout_ms = 1000

[[health.alive]]
when = [{ probe = "replication", answered = true }]
ok = true
code = "alive"
text = "Redis answers."

[[health.alive]]
ok = false
code = "no_answer"
text = "Redis does not answer."

[[health.ready]]
when = [{ probe = "replication", contains = "master_link_status:up" }]
ok = true
code = "ready"
text = "The replica follows."

[[health.ready]]
when = [{ probe = "replication", contains = "master_link_status:down" }]
ok = false
code = "link_down"
text = "The replica has lost the one it follows."

[[health.ready]]
ok = false
code = "starting"
text = "The replica does not answer yet."

[limits]
memory_mib = { small = 256, medium = 256, large = 512 }
pids = 64

[endpoints.redis]
port = "redis"
scheme = "tcp"
"##;

/// Prepares both manifests and the choice of both instances in the data folder, on ports that no other test uses.
pub fn prepare(node: &mut TestNode) {
    node.file("manifests/redis.toml", PROVIDER);
    node.file("manifests/redis-replica.toml", CONSUMER);
    let mut choices = String::new();
    for id in ["redis", "redis-replica"] {
        let port = free_port();
        choices.push_str(&format!(
            "[services.{id}]\nmanifest = \"{id}\"\n\n[services.{id}.ports]\nredis = {port}\n\n"
        ));
    }
    node.with_own_ports(&choices);
}

/// The password of `user` in the user list that was rendered for `service`.
pub fn password(node: &TestNode, service: &str, user: &str) -> String {
    let conf = node.rendered(service, "redis.conf");
    let line = conf
        .lines()
        .find_map(|line| line.strip_prefix(&format!("user {user} on >")))
        .unwrap_or_else(|| panic!("no user {user} in\n{conf}"));
    line.split(' ').next().expect("a password").to_owned()
}
