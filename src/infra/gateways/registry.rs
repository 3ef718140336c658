//! The gateways that this shop has.

use std::sync::Arc;

use super::{PaymentGateway, manual, mpesa, paypal, stripe, test};
use crate::entity::payment::PaymentGatewayName;
use crate::kernel::clock::Clock;
use crate::kernel::config::Config;

/// In the order in which buyers are shown them.
#[derive(Clone, Debug, Default)]
pub struct Gateways(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    name: PaymentGatewayName,
    gateway: Arc<dyn PaymentGateway>,
    /// Whether new payments may be made with it. Those that there are go on either way.
    offered: bool,
}

impl Gateways {
    pub fn new(gateways: impl IntoIterator<Item = (PaymentGatewayName, Arc<dyn PaymentGateway>)>) -> Self {
        let entry = |(name, gateway)| Entry {
            name,
            gateway,
            offered: true,
        };
        Self(gateways.into_iter().map(entry).collect())
    }

    /// Those that the settings speak of.
    ///
    /// # Errors
    /// A gateway cannot be spoken to as the settings say.
    pub fn of_config(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        use PaymentGatewayName as Name;
        let mut gateways = Self::default();
        let (of, url) = (&config.gateways, &config.http.public_url);
        gateways.add_set(Name::Stripe, of.stripe.as_ref().map(stripe::Stripe::new))?;
        gateways.add_set(
            Name::Paypal,
            of.paypal.as_ref().map(|of| paypal::Paypal::new(of, clock)),
        )?;
        gateways.add_set(
            Name::Mpesa,
            of.mpesa.as_ref().map(|of| mpesa::Mpesa::new(of, url, clock)),
        )?;
        gateways.add(Name::Manual, manual::Manual, config.orders.manual_payments);
        gateways.add(Name::Test, test::Test::new(url), config.orders.test_payments);
        Ok(gateways)
    }

    /// One that is offered when there are settings for it.
    fn add_set<G: PaymentGateway + 'static>(
        &mut self,
        name: PaymentGatewayName,
        made: Option<anyhow::Result<G>>,
    ) -> anyhow::Result<()> {
        if let Some(gateway) = made {
            self.add(name, gateway?, true);
        }
        Ok(())
    }

    fn add(&mut self, name: PaymentGatewayName, gateway: impl PaymentGateway + 'static, offered: bool) {
        self.0.push(Entry {
            name,
            gateway: Arc::new(gateway),
            offered,
        });
    }

    /// For payments that there are.
    pub fn get(&self, name: PaymentGatewayName) -> Option<&dyn PaymentGateway> {
        let entry = self.0.iter().find(|entry| entry.name == name);
        entry.map(|entry| &*entry.gateway)
    }

    /// For new payments.
    pub fn offered(&self, name: PaymentGatewayName) -> Option<&dyn PaymentGateway> {
        let mut offered = self.all_offered();
        offered.find(|(own, _)| *own == name).map(|(_, gateway)| gateway)
    }

    pub fn all_offered(&self) -> impl Iterator<Item = (PaymentGatewayName, &dyn PaymentGateway)> {
        let offered = self.0.iter().filter(|entry| entry.offered);
        offered.map(|entry| (entry.name, &*entry.gateway))
    }
}
