//! Which machines there are, on which networks, with which addresses and routes. Only computes.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::scenario::{Networks, Scenario, Topology};

/// A network's prefix.
#[derive(Debug, Clone, Copy)]
pub struct Prefix {
    pub base: IpAddr,
    pub length: u8,
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not like 10.9.1.0/24");
        let (base, length) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Self { base: base.parse().map_err(|_| wrong())?, length: length.parse().map_err(|_| wrong())? })
    }

    fn host(self, number: u8) -> IpAddr {
        match self.base {
            IpAddr::V4(base) => IpAddr::V4((u32::from(base) + u32::from(number)).into()),
            IpAddr::V6(base) => IpAddr::V6((u128::from(base) + u128::from(number)).into()),
        }
    }
}

/// A machine's place on one network.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The network's name, which is the interface's name as well.
    pub network: String,
    pub addresses: Vec<(IpAddr, u8)>,
}

#[derive(Debug, Clone)]
pub struct Machine {
    pub name: String,
    pub interfaces: Vec<Interface>,
    /// Destination (a prefix or `default`) and the router towards it.
    pub routes: Vec<(String, IpAddr)>,
}

impl Machine {
    pub fn forwards(&self) -> bool {
        self.interfaces.len() > 1
    }

    /// Its address of a family: on a network, or on its first one.
    pub fn address(&self, network: Option<&str>, v6: bool) -> Option<IpAddr> {
        let interface =
            self.interfaces.iter().find(|interface| network.is_none_or(|name| name == interface.network))?;
        interface.addresses.iter().map(|(address, _)| *address).find(|address| address.is_ipv6() == v6)
    }
}

/// The whole network of a scenario.
#[derive(Debug, Clone)]
pub struct Plan {
    pub machines: Vec<Machine>,
}

const PREFIXES: [(&str, [&str; 2]); 3] = [
    ("near", ["10.9.1.0/24", "fd09:1::/64"]),
    ("middle", ["10.9.9.0/24", "fd09:9::/64"]),
    ("far", ["10.9.2.0/24", "fd09:2::/64"]),
];

impl Topology {
    fn machines(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Link => &[("client", &["near"]), ("server", &["near"])],
            Self::Routed => &[("router", &["near", "far"]), ("client", &["near"]), ("server", &["far"])],
            Self::Far => {
                &[("r1", &["near", "middle"]), ("r2", &["middle", "far"]), ("client", &["near"]), ("server", &["far"])]
            }
        }
    }
}

/// Draws the network up.
///
/// # Errors
/// A network without addresses, or a machine that the scenario speaks of and does not have.
pub fn plan(scenario: &Scenario) -> Result<Plan, String> {
    let mut places: Vec<(String, Vec<String>)> = Vec::new();
    for (name, networks) in scenario.topology.machines() {
        places.push(((*name).to_owned(), networks.iter().map(|name| (*name).to_owned()).collect()));
    }
    for (name, networks) in &scenario.machines {
        let networks = match networks {
            Networks::One(name) => vec![name.clone()],
            Networks::Several(names) => names.clone(),
        };
        places.retain(|(known, _)| known != name);
        places.push((name.clone(), networks));
    }
    let prefixes = prefixes(scenario)?;
    // Routers have the first numbers, as people give them.
    places.sort_by_key(|(_, networks)| networks.len() < 2);
    let mut machines = Vec::new();
    for (name, networks) in &places {
        let interfaces = networks.iter().map(|network| interface(scenario, &prefixes, &places, name, network));
        machines.push(Machine {
            name: name.clone(),
            interfaces: interfaces.collect::<Result<_, _>>()?,
            routes: Vec::new(),
        });
    }
    let mut plan = Plan { machines };
    for at in 0..plan.machines.len() {
        plan.machines[at].routes = plan.routes(&plan.machines[at], &prefixes);
    }
    Ok(plan)
}

fn prefixes(scenario: &Scenario) -> Result<BTreeMap<String, Vec<Prefix>>, String> {
    let mut prefixes = BTreeMap::new();
    for (name, texts) in PREFIXES {
        prefixes.insert(name.to_owned(), texts.iter().map(|text| Prefix::parse(text)).collect::<Result<_, _>>()?);
    }
    for (name, texts) in &scenario.networks {
        prefixes.insert(name.clone(), texts.iter().map(|text| Prefix::parse(text)).collect::<Result<_, _>>()?);
    }
    Ok(prefixes)
}

fn interface(
    scenario: &Scenario,
    prefixes: &BTreeMap<String, Vec<Prefix>>,
    places: &[(String, Vec<String>)],
    machine: &str,
    network: &str,
) -> Result<Interface, String> {
    let prefixes = prefixes.get(network).ok_or_else(|| format!("networks: `{network}` has no addresses"))?;
    let members = || places.iter().filter(|(_, networks)| networks.iter().any(|name| name == network));
    let routers = members().filter(|(_, networks)| networks.len() > 1).count();
    let at = members().position(|(name, _)| name == machine).unwrap_or_default();
    // .1 stays free where there is no router.
    let number =
        u8::try_from(if routers == 0 { at + 2 } else { at + 1 }).map_err(|_| "too many machines".to_owned())?;
    let mut addresses: Vec<(IpAddr, u8)> = prefixes.iter().map(|prefix| (prefix.host(number), prefix.length)).collect();
    for text in scenario.addresses.get(machine).into_iter().flatten() {
        let own: IpAddr = text.parse().map_err(|_| format!("addresses: `{text}` is none"))?;
        let same = addresses.iter_mut().find(|(address, _)| address.is_ipv6() == own.is_ipv6());
        same.ok_or_else(|| format!("addresses: {network} has no family of {own}"))?.0 = own;
    }
    Ok(Interface { network: network.to_owned(), addresses })
}

impl Plan {
    /// # Errors
    /// There is no such machine.
    pub fn machine(&self, name: &str) -> Result<&Machine, String> {
        let known = || self.machines.iter().map(|machine| machine.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = self.machines.iter().find(|machine| machine.name == name);
        found.ok_or_else(|| format!("there is no machine `{name}`; there are {}", known()))
    }

    /// The members of every network.
    pub fn networks(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut networks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for machine in &self.machines {
            for interface in &machine.interfaces {
                networks.entry(&interface.network).or_default().push(&machine.name);
            }
        }
        networks
    }

    /// A route to every network that a machine is not on, and for those that don't forward a default route.
    fn routes(&self, machine: &Machine, prefixes: &BTreeMap<String, Vec<Prefix>>) -> Vec<(String, IpAddr)> {
        let mut found = Vec::new();
        let mut first_router: Option<&Machine> = None;
        for (network, through) in self.ways(machine) {
            let Some((router, shared)) = through else { continue };
            first_router = first_router.or(Some(router));
            for prefix in prefixes.get(network).into_iter().flatten() {
                if let Some(via) = router.address(Some(shared), prefix.base.is_ipv6()) {
                    found.push((format!("{}/{}", prefix.base, prefix.length), via));
                }
            }
        }
        if let Some(router) = first_router.filter(|_| !machine.forwards()) {
            let shared = &machine.interfaces[0].network;
            let families = [false, true].into_iter().filter_map(|v6| router.address(Some(shared), v6));
            found.extend(families.map(|via| ("default".to_owned(), via)));
        }
        found
    }

    /// Every network in order of distance, with the neighbour (and the network shared with it) that leads there.
    fn ways<'a>(&'a self, machine: &'a Machine) -> Vec<(&'a str, Option<(&'a Machine, &'a str)>)> {
        let mut found: Vec<(&str, Option<(&Machine, &str)>)> =
            machine.interfaces.iter().map(|interface| (interface.network.as_str(), None)).collect();
        let mut waiting: VecDeque<_> = found.clone().into();
        while let Some((network, through)) = waiting.pop_front() {
            let routers = self.machines.iter().filter(|other| other.forwards() && other.name != machine.name);
            for router in routers.filter(|other| other.interfaces.iter().any(|one| one.network == network)) {
                for next in &router.interfaces {
                    if found.iter().all(|(known, _)| *known != next.network) {
                        let way = (next.network.as_str(), through.or(Some((router, network))));
                        found.push(way);
                        waiting.push_back(way);
                    }
                }
            }
        }
        found
    }
}
