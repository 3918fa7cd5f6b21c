"""Which providers an installation has: one line each. A new provider is a file here and a line below."""

from dataclasses import dataclass

from channels.callback import Callback, OpenTask
from channels.email_smtp import EmailSmtp, EmailSmtpConfig
from channels.sms_http import SmsHttp, SmsHttpConfig
from domain.gateway.delivery import Provider, Providers


@dataclass(frozen=True, slots=True)
class ChannelsConfig:
    """What is configured; a channel without a provider keeps its messages queued until they expire."""

    sms: SmsHttpConfig | None = None
    email: EmailSmtpConfig | None = None


def open_providers(config: ChannelsConfig, open_task: OpenTask | None = None) -> Providers:
    """The providers of this process. Nothing is connected until the first message."""
    opened: list[Provider] = []
    if config.sms is not None:
        opened.append(SmsHttp(config.sms))
    if config.email is not None:
        opened.append(EmailSmtp(config.email))
    if open_task is not None:
        opened.append(Callback(open_task))
    return Providers({one.channel: one for one in opened})
