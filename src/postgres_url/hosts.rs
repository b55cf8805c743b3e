//! One configuration for each host of a URL.

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Splits a configuration into one for each host. What the driver refuses stays whole, so that the driver says why.
pub(super) fn split(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let is_refused = [hosts.len(), addresses.len()].iter().any(|length| *length != 0 && *length != count)
        || (ports.len() > 1 && ports.len() != count);
    if is_refused {
        return vec![config.clone()];
    }
    let one = |index: usize| {
        let mut one = without_hosts(config);
        match hosts.get(index) {
            Some(Host::Tcp(name)) => _ = one.host(name),
            Some(Host::Unix(path)) => _ = one.host_path(path),
            None => {}
        }
        if let Some(address) = addresses.get(index) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(index).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    (0..count).map(one).collect()
}

fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    one.ssl_mode(config.get_ssl_mode()).ssl_negotiation(config.get_ssl_negotiation());
    one.channel_binding(config.get_channel_binding());
    one.target_session_attrs(config.get_target_session_attrs());
    one.load_balance_hosts(config.get_load_balance_hosts());
    copy_network(config, &mut one);
    one
}

fn copy_network(config: &Config, one: &mut Config) {
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    one.keepalives(config.get_keepalives()).keepalives_idle(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::Config;

    use super::split;

    /// With one host, everything is copied.
    #[test]
    fn a_part_has_every_parameter() {
        for text in [
            "postgres://u:p@h:6/d?options=-cx%3D1&application_name=a&sslmode=require&sslnegotiation=direct\
             &channel_binding=require&target_session_attrs=read-write&load_balance_hosts=random&connect_timeout=3\
             &tcp_user_timeout=4&keepalives=0&keepalives_idle=5&keepalives_interval=6&keepalives_retries=7\
             &hostaddr=10.0.0.1",
            "postgres://h",
            "host=/run/postgresql user=u",
        ] {
            let config: Config = text.parse().unwrap();
            assert_eq!(split(&config), [config], "{text}");
        }
    }

    #[test]
    fn each_host_has_its_address_and_port() {
        let parts = |text: &str| split(&text.parse().unwrap());
        let both = parts("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=1,2 user=u");
        let [a, b]: [Config; 2] =
            ["host=a hostaddr=10.0.0.1 port=1 user=u", "host=b hostaddr=10.0.0.2 port=2 user=u"]
                .map(|text| text.parse().unwrap());
        assert_eq!(both, [a, b]);
        assert_eq!(parts("host=a,b port=1").iter().map(|one| one.get_ports()[0]).collect::<Vec<_>>(), [1, 1]);
        for refused in ["host=a,b port=1,2,3", "host=a,b hostaddr=10.0.0.1"] {
            let whole: Config = refused.parse().unwrap();
            assert_eq!(split(&whole), [whole], "{refused}");
        }
    }
}
