"""A Slack that never answers neither delays nor fails a restore."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection

from backups.domain.restore import RequestState
from backups.models import Channel, OutboxMessage
from backups.services.notification.deliver import deliver_slack
from tests.services.execution.scene import Scene, work
from tests.services.notification import receivers
from tests.services.notification.receivers import http_receiver


def test_a_restore_goes_through_while_slack_hangs(scene: Scene, settings: Any) -> None:
    settings.NOTIFICATION_POST_SECONDS = 60  # far longer than the restore may take
    with http_receiver(receivers.hang) as slack:
        settings.SLACK_WEBHOOK_URL = slack.address

        def deliver() -> None:
            deliver_slack()
            connection.close()

        started = scene.started()
        delivering = threading.Thread(target=deliver, daemon=True)
        delivering.start()
        assert slack.connected.wait(20), "the first message is on its way, and stays there"
        run = work(started)
        assert delivering.is_alive(), "Slack has not answered to this moment"
        settings.NOTIFICATION_ROUND_SECONDS = 0.001
        slack.over.set()
        delivering.join(20)
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.COMPLETED
    waiting = OutboxMessage.objects.filter(channel=Channel.SLACK, next_attempt_at__isnull=False)
    assert waiting.filter(topic="completed").exists(), "it is told when Slack is back"
    scene.assert_invariants()
