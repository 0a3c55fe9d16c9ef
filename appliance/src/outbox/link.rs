//! The one door to rumqttc: MQTT version 5, one message at a time.

use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};

use super::fleet::Config;
use crate::store::records::Promise;

const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A broker that takes longer than this for one acknowledgement is not working.
const ACK_WITHIN: Duration = Duration::from_secs(20);
/// We subscribe to nothing: a broker has no reason to send more than an acknowledgement.
const PACKET_BYTES_MAX: u32 = 128 * 1024;

/// Why a message was not delivered. It is kept and tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("the broker cannot be reached: {0}")]
    Connection(#[from] Box<ConnectionError>),
    #[error("the broker did not acknowledge within {} s", ACK_WITHIN.as_secs())]
    Slow,
    #[error("the broker refused: {0:?}")]
    Refused(PubAckReason),
    #[error("the message could not be queued")]
    Queue,
    #[error("the broker takes at most {limit} bytes, the message has {bytes}")]
    TooLarge { bytes: usize, limit: u32 },
}

/// A connection that is made when it is first needed.
pub(super) struct Link {
    client: AsyncClient,
    events: EventLoop,
    packet_bytes_max: Option<u32>,
}

impl Link {
    pub(super) fn new(config: &Config) -> Self {
        let mut options = MqttOptions::new(&config.client_id, &config.host, config.port);
        options.set_keep_alive(KEEP_ALIVE);
        // Nothing of ours lives in a session: the store remembers.
        options.set_clean_start(true);
        options.set_max_packet_size(Some(PACKET_BYTES_MAX));
        options.set_outgoing_inflight_upper_limit(1);
        let (client, events) = AsyncClient::new(options, 1);
        Self { client, events, packet_bytes_max: None }
    }

    /// Keeps the connection alive while there is nothing to send.
    pub(super) async fn idle(&mut self) -> Result<(), LinkError> {
        let event = self.events.poll().await.map_err(Box::new)?;
        self.note(&event);
        Ok(())
    }

    /// Publishes one message and waits for its own acknowledgement.
    pub(super) async fn deliver(&mut self, config: &Config, promise: &Promise) -> Result<(), LinkError> {
        match tokio::time::timeout(ACK_WITHIN, self.publish(config, promise)).await {
            Ok(delivered) => delivered,
            Err(_) => Err(LinkError::Slow),
        }
    }

    /// Says goodbye, if the broker listens.
    pub(super) async fn leave(mut self) {
        let goodbye = async {
            self.client.disconnect().await.ok()?;
            while !matches!(self.events.poll().await.ok()?, Event::Outgoing(Outgoing::Disconnect)) {}
            Some(())
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }

    async fn publish(&mut self, config: &Config, promise: &Promise) -> Result<(), LinkError> {
        let topic = format!("{}/{}", config.topic_prefix, promise.lane);
        let bytes = promise.payload.len() + topic.len() + 64;
        if let Some(limit) = self.packet_bytes_max.filter(|limit| bytes > *limit as usize) {
            return Err(LinkError::TooLarge { bytes, limit });
        }
        let queued =
            self.client.publish(topic, QoS::AtLeastOnce, false, promise.payload.clone().into_bytes());
        queued.await.map_err(|_| LinkError::Queue)?;
        let mut ours = None;
        loop {
            let event = self.events.poll().await.map_err(Box::new)?;
            self.note(&event);
            match event {
                Event::Outgoing(Outgoing::Publish(id)) => ours = Some(id),
                Event::Incoming(Packet::PubAck(ack)) if Some(ack.pkid) == ours => {
                    return match ack.reason {
                        PubAckReason::Success => Ok(()),
                        // Nobody listens: a result that nobody received is not delivered.
                        reason => Err(LinkError::Refused(reason)),
                    };
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::Incoming(Packet::ConnAck(ack)) = event {
            self.packet_bytes_max = ack.properties.as_ref().and_then(|properties| properties.max_packet_size);
        }
    }
}
