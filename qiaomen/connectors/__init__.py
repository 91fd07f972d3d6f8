"""The outside world: push of the outbox and status updates from the CRM; the only network code.

Reads and settles the outbox; writes the SQL table crm_updates. Owns the catalogue push_channels; ships a receiver on
the loopback as a test double.
"""

from qiaomen.connectors.channels import PushChannel, PushSettings, check_address, load_channels
from qiaomen.connectors.crm import CrmReceipt, CrmUpdate, receive_crm_update
from qiaomen.connectors.delivery import deliver_outbox
from qiaomen.connectors.double import Received, Receiver
from qiaomen.connectors.egress import EgressPolicy, Resolve, Target, check_addresses, check_host, check_target
from qiaomen.connectors.guarded import guarded_client
from qiaomen.connectors.ldap import DirectorySettings, LdapDirectory
from qiaomen.connectors.oidc import OidcProvider, OidcSettings
from qiaomen.connectors.schema import CRM_UPDATES
from qiaomen.connectors.webhooks import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    post_webhook,
    sign,
    verify_signature,
)

__all__ = [
    "CRM_UPDATES",
    "KEY_HEADER",
    "SIGNATURE_HEADER",
    "TIME_HEADER",
    "CrmReceipt",
    "CrmUpdate",
    "DirectorySettings",
    "EgressPolicy",
    "LdapDirectory",
    "OidcProvider",
    "OidcSettings",
    "PushChannel",
    "PushSettings",
    "Received",
    "Receiver",
    "Resolve",
    "Target",
    "check_address",
    "check_addresses",
    "check_host",
    "check_target",
    "deliver_outbox",
    "guarded_client",
    "load_channels",
    "post_webhook",
    "receive_crm_update",
    "sign",
    "verify_signature",
]
