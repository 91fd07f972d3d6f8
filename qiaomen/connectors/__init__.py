"""The outside world: push of the outbox, signed webhooks both ways, updates from the CRM; the only network code.

Every call goes through ``egress``: HTTP by ``guarded_client``, other protocols by ``check_host``. Reads and settles the
outbox; writes crm_updates, inbound_messages, inbound_positions, inbound_signatures and delivery_endpoints. Owns the
catalogues push_channels and delivery_rules; ships a receiver on the loopback as a test double.
"""

from qiaomen.connectors.channels import PushChannel, PushSettings, check_address, load_channels
from qiaomen.connectors.crm import CrmReceipt, CrmUpdate, receive_crm_update
from qiaomen.connectors.delivery import deliver_outbox
from qiaomen.connectors.double import DROP, STALL, Received, Receiver
from qiaomen.connectors.egress import EgressPolicy, Resolve, Target, check_addresses, check_host, check_target
from qiaomen.connectors.guarded import guarded_client
from qiaomen.connectors.inbox import (
    Inbound,
    Settled,
    forget_bodies,
    gaps,
    note_taken,
    past_bodies,
    receive_in_turn,
    receive_latest,
    untaken,
)
from qiaomen.connectors.ldap import DirectorySettings, LdapDirectory
from qiaomen.connectors.letters import discard_messages, outbox_counts, outbox_entries, requeue_messages
from qiaomen.connectors.oidc import OidcProvider, OidcSettings
from qiaomen.connectors.rules import DeliveryRule, load_delivery_rules
from qiaomen.connectors.schema import CRM_UPDATES
from qiaomen.connectors.webhooks import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    Answer,
    accept_webhook,
    post_webhook,
    sign,
    verify_signature,
)

__all__ = [
    "CRM_UPDATES",
    "DROP",
    "KEY_HEADER",
    "SIGNATURE_HEADER",
    "STALL",
    "TIME_HEADER",
    "Answer",
    "CrmReceipt",
    "CrmUpdate",
    "DeliveryRule",
    "DirectorySettings",
    "EgressPolicy",
    "Inbound",
    "LdapDirectory",
    "OidcProvider",
    "OidcSettings",
    "PushChannel",
    "PushSettings",
    "Received",
    "Receiver",
    "Resolve",
    "Settled",
    "Target",
    "accept_webhook",
    "check_address",
    "check_addresses",
    "check_host",
    "check_target",
    "deliver_outbox",
    "discard_messages",
    "forget_bodies",
    "gaps",
    "guarded_client",
    "load_channels",
    "load_delivery_rules",
    "note_taken",
    "outbox_counts",
    "outbox_entries",
    "past_bodies",
    "post_webhook",
    "receive_crm_update",
    "receive_in_turn",
    "receive_latest",
    "requeue_messages",
    "sign",
    "untaken",
    "verify_signature",
]
