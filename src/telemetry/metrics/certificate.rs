//! The certificate that the broker shows: when it is over.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::seconds;
use crate::domain::time::Timestamp;

/// Tells when the certificate that holds by now is over, where it says that.
pub type Ends = Box<dyn Fn() -> Option<Timestamp> + Send + Sync>;

/// A certificate, by the file that it is read from: another one may be in it by the next look.
pub struct Certificate {
    /// The file, as the operator names it.
    pub file: String,
    /// When it is over.
    pub ends: Ends,
}

impl Collector for Certificate {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(ends) = (self.ends)() else {
            return Ok(());
        };
        let help = "When the certificate that is shown to clients is over.";
        let name = "certificate_expiry_timestamp_seconds";
        encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_family(&[("file", self.file.as_str())])?
            .encode_gauge(&seconds(ends))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)
    }
}
