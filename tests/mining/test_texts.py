import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mining.examples import AS_OF, announcement, read, read_texts

POSITIVES = [
    ("浦江重工中标市政道路改造工程，中标价2.3亿元。", "engineering_bid_won", "中标人", 2, 2.3e8),
    (
        "采购人：某区人民医院，中标供应商为徐汇智算科技有限公司，成交金额860万元。",
        "gov_bid_won",
        "中标人",
        4,
        8.6e6,
    ),
    ("智算科技中标某电网集团服务器集采项目，金额约1.2亿元。", "soe_bid_won", "中标人", 4, 1.2e8),
    ("智算科技中标某智慧园区项目，金额约1.2亿元。", "bid_won", "中标人", 4, 1.2e8),
    ("智算科技中标某央企服务器采购项目，金额约1.2亿元。", "soe_bid_won", "中标人", 4, 1.2e8),
    (
        "浦江重工为轨道交通18号线土建工程第一中标候选人，报价5.6亿元。",
        "bid_candidate",
        "中标候选人",
        2,
        5.6e8,
    ),
    ("百济生物3个品种带量采购拟中选。", "framework_agreement_won", "入围供应商", 3, None),
    ("浦江重工公告，因业主原因，道路项目废标。", "bid_terminated", "中标人", 2, None),
    ("远驰汽配与某整车厂签订供货合同，合同金额3000万元。", "major_contract_signed", "承接方", 5, 3e7),
    ("智算科技与百济生物签署战略合作协议。", "strategic_cooperation", "签约方", 4, None),
    (
        "远驰汽配与开发区管委会签署投资协议，项目投资10亿元落户园区。",
        "investment_promotion_signed",
        "投资方",
        5,
        1e9,
    ),
    (
        "华芯微电为百济生物向银行申请贷款提供连带责任担保，担保金额5000万元。",
        "guarantee_provided",
        "债务人",
        3,
        5e7,
    ),
    (
        "华芯微电为百济生物向银行申请贷款提供连带责任担保，担保金额5000万元。",
        "guarantee_provided",
        "担保人",
        1,
        5e7,
    ),
    ("远驰汽配获得某银行综合授信额度2亿元。", "large_credit_line_granted", "受信人", 5, 2e8),
    ("浦江重工将持有的华芯微电1000万股质押给某证券。", "share_pledged", "出质人", 2, None),
    ("浦江重工将持有的华芯微电1000万股质押给某证券。", "share_pledged", "标的企业", 1, None),
    ("浦江重工办理了解除质押手续。", "share_pledge_released", "出质人", 2, None),
    (
        "智算科技拟以自有资金4.5亿元收购百济生物51%股权。",
        "merger_acquisition",
        "收购方",
        4,
        4.5e8,
    ),
    ("智算科技拟以自有资金4.5亿元收购百济生物51%股权。", "merger_acquisition", "标的企业", 3, 4.5e8),
    ("浦江重工减持华芯微电200万股，套现约8000万元。", "fund_investment_exit", "减持方", 2, 8e7),
    ("华芯微电拟以集中竞价方式回购公司股份，资金总额不低于1亿元。", "share_buyback", "回购企业", 1, 1e8),
    ("智算科技完成B轮融资，金额数亿元人民币。", "equity_financing", "融资方", 4, 3e8),
    ("华芯微电披露定增预案，拟募资12亿元。", "private_placement", "发行人", 1, 1.2e9),
    ("浦江重工成功发行公司债券，规模8亿元。", "bond_issued", "发行人", 2, 8e8),
    (
        "浦江重工竞得临港新片区一宗工业用地地块，成交价1.1亿元。",
        "land_acquired",
        "竞得人",
        2,
        1.1e8,
    ),
    (
        "远驰汽配年产50万套转向器生产线项目开工，总投资6亿元。",
        "capacity_expansion",
        "扩产企业",
        5,
        6e8,
    ),
    ("百济生物二期工厂正式投产。", "plant_completed", "投产企业", 3, None),
    ("百济生物取得国家药监局颁发的药品注册证书。", "new_product_launch", "获批企业", 3, None),
    ("华芯微电在科创板上市，募集资金净额20亿元。", "ipo_listed", "上市企业", 1, 2e9),
    ("智算科技递交招股说明书，拟在主板上市。", "ipo_filed", "申报企业", 4, None),
    ("智算科技主动撤回IPO申请。", "ipo_terminated", "申报企业", 4, None),
    ("远驰汽配收到政府补助1200万元。", "subsidy_granted", "获补企业", 5, 1.2e7),
    ("远驰汽配入选国家级专精特新小巨人名单。", "little_giant_certified", "获认定企业", 5, None),
    ("智算科技通过高新技术企业认定。", "high_tech_certified", "获认定企业", 4, None),
    ("华芯微电获得一项发明专利证书。", "patent_granted", "专利权人", 1, None),
    (
        "百济生物设立全资子公司张江百济制剂有限公司，注册资本5000万元。",
        "subsidiary_established",
        "母公司",
        3,
        None,
    ),
    ("远驰汽配被列入失信被执行人名单。", "dishonest_debtor", "失信被执行人", 5, None),
    (
        "法院裁定受理远驰汽配破产重整一案。",
        "bankruptcy_filed",
        "债务人",
        5,
        None,
    ),
    ("浦江重工未能按期兑付到期债券本息3亿元。", "debt_default", "债务人", 2, 3e8),
    ("百济生物发布业绩预告，预计全年亏损2亿元。", "loss_reported", "企业", 3, 2e8),
    ("交易所向华芯微电下发问询函。", "regulator_talk", "被问询企业", 1, None),
    (
        "生态环境局对远驰汽配作出行政处罚决定书，罚款60万元。",
        "admin_penalty",
        "被处罚企业",
        5,
        6e5,
    ),
    ("浦江重工起诉远驰汽配，索赔2000万元。", "lawsuit_defendant", "被告", 5, 2e7),
    (
        "法院判决远驰汽配支付货款900万元。",
        "court_judgment",
        "被告",
        5,
        9e6,
    ),
    ("远驰汽配进入某整车厂供应链体系。", "supply_core_confirmed", "供应商", 5, None),
    ("华芯微电董事会选举王某为公司董事长。", "executive_changed", "变更企业", 1, None),
    ("税务局发布欠税公告，远驰汽配欠缴增值税300万元。", "tax_arrears", "欠税企业", 5, 3e6),
    ("智算科技区域总部落户前滩。", "regional_hq_settled", "迁入企业", 4, None),
]


@pytest.mark.parametrize(("text", "kind", "role", "company_id", "amount"), POSITIVES)
def test_events(text: str, kind: str, role: str, company_id: int, amount: float | None) -> None:
    found = [row for row in read(text) if row["kind"] == kind and row["subject_role"] == role]
    assert company_id in [row["company_id"] for row in found]
    assert None not in [row["company_id"] for row in found]
    assert found[0]["evidence"] == text
    if amount is not None:
        assert found[0]["amount_cny"] == pytest.approx(amount)


def test_at_least_twenty_kinds_are_found_in_text() -> None:
    assert len({kind for _, kind, *_ in POSITIVES}) >= 20


# Ordinary sentences that use the words of an event without being one.
NEGATIVES = """
浦江重工未中标该道路改造工程。
浦江重工未能中标轨道交通项目。
如果浦江重工中标该工程，将增加收入2亿元。
浦江重工有望中标市政道路工程。
网传浦江重工中标某工程，公司予以否认。
早在2003年浦江重工曾中标首条地铁工程。
浦江重工是否中标该工程？
中标率是衡量投标能力的指标。
本办法所称中标人是指依法确定的投标人。
采购管理办法规定，中标通知书发出后三十日内签订合同。
公司尚未签订任何供货合同。
双方尚未签署协议，存在不确定性。
华芯微电不存在对外担保。
华芯微电未提供担保。
本次交易无需提供担保。
担保公司成立十周年庆典举行。
融资担保行业座谈会召开。
浦江重工不存在质押。
股票质押率整体下降。
央行开展逆回购操作2000亿元。
质押式回购利率上行。
交易所发布减持新规。
大股东承诺六个月内不减持。
浦江重工终止减持计划。
分析师维持华芯微电增持评级。
央行连续第三个月增持黄金。
某基金增持国债。
智算科技不会收购百济生物。
传闻智算科技收购百济生物。
智算科技终止收购百济生物。
秋粮收购工作全面展开。
收购价每斤上调两分钱。
废品收购站搬迁。
如成功收购百济生物，公司业务将延伸。
投资者应当理性投资。
全市固定资产投资同比增长5%。
分析师给出投资建议。
智算科技成立于2015年。
公司自成立以来专注主业。
该园区有高新技术企业数量500家。
全区新增专精特新企业座谈会举行。
百济生物未发生债务违约。
合同约定了违约责任和违约金。
银行不良率和逾期率双降。
百济生物实现扭亏为盈。
行业亏损面收窄。
破产法修订草案征求意见。
法院举办破产审判研讨会。
王某犯诈骗罪被判处有期徒刑三年。
检察院对李某提起公诉。
民事诉讼法规定了诉讼时效。
华芯微电未受到行政处罚。
行政处罚法知识问答。
企业开展火灾应急预案演练。
公司开展安全事故隐患排查。
华芯微电不构成重大资产重组。
地方政府发行专项债200亿元。
本周国债发行规模1500亿元。
全国股转系统发布挂牌公司半年报。
公司未被列入经营异常名录。
移出失信被执行人名单后企业恢复信用。
公司董事会审议通过了年度报告。
天气预报显示明日有雨。
张江科学城举办春季招聘会。
公司控制权不会发生变更。
不存在限制消费令的情形。
公司目前没有被列为被执行人的情况。
该公司拆迁传闻不属实。
去产能工作稳步推进。
股东大会选举产生了工会委员。
浦江重工澄清：网络流传的公司中标轨道项目的消息不实。
浦江重工组织员工学习合同签订与担保业务的风险防范知识。
浦江重工表示尚未与临港华芯微电子股份有限公司签署任何合同。
浦江重工回顾了十年前中标首个项目的历程。
智算科技终止筹划对百济生物的收购事项。
""".strip().splitlines()


def test_there_are_sixty_own_negatives() -> None:
    assert len(set(NEGATIVES)) >= 60


ALLOWED = {"移出失信被执行人名单后企业恢复信用。": {"dishonest_removed"}}


@pytest.mark.parametrize("text", NEGATIVES)
def test_no_false_alarm(text: str) -> None:
    kinds = {row["kind"] for row in read(text, title="每日资讯")}
    assert kinds <= ALLOWED.get(text, set())


def test_the_span_is_exact_in_full_width_text() -> None:
    text = "　　公司公告：\n浦江重工近日中标市政工程，金额３，０００万元。\n其他事项无。"
    row = read(text)[0]
    assert text[row["span_start"] : row["span_end"]] == row["evidence"]
    assert row["amount_text"] == "３，０００万元"
    assert row["amount_cny"] == 3e7


def test_a_sentence_is_told_once() -> None:
    kinds = {row["kind"] for row in read("智算科技拟3亿元收购百济生物51%股权，相关协议已于昨日签署。")}
    assert kinds == {"merger_acquisition"}
    guarantee = read("华芯微电与银行签署保证合同，为百济生物提供连带责任保证，担保金额5000万元。")
    assert {row["kind"] for row in guarantee} == {"guarantee_provided"}


def test_the_holder_of_a_pledge_may_be_a_person() -> None:
    rows = read("华芯微电控股股东将其持有的部分股份质押给某银行。")
    assert [(row["company_id"], row["subject_role"]) for row in rows] == [(1, "标的企业")]


def test_the_company_stands_for_the_document() -> None:
    rows = read("公司近日中标轨道交通土建工程。", company_ref="name:浦江重工建设集团有限公司")
    assert [(row["company_id"], row["subject_role"]) for row in rows] == [(2, "中标人")]
    by_title = read("公司近日中标轨道交通土建工程。", title="浦江重工：重大事项公告")
    assert by_title[0]["company_id"] == 2
    assert by_title[0]["confidence"] < 0.8


def test_an_unknown_subsidiary_is_not_taken_for_its_parent() -> None:
    rows = read("浦江重工公告，公司全资子公司宁海筑路有限公司中标道路工程。")
    assert [(row["company_id"], row["company_name"]) for row in rows] == [(None, "宁海筑路有限公司")]
    unnamed = read_texts(announcement("浦江重工公告，全资子公司近日中标道路工程。"))
    assert unnamed.counts["unresolved"] == 1


def test_all_companies_enumerated_are_winners() -> None:
    rows = read("浦江重工、智算科技中标智慧城市改造工程。")
    assert {row["company_id"] for row in rows} == {2, 4}


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("百济生物决定以自有资金3亿元对外投资，与智算科技共同设立合资公司。", {"outbound_investment"}),
        ("百济生物与智算科技成立合资公司张江智药有限公司，出资3000万元。", {"outbound_investment"}),
        ("百济生物与智算科技成立合资公司。", {"outbound_investment"}),
        ("百济生物与智算科技共同出资设立控股子公司。", {"subsidiary_established"}),
        ("百济生物设立全资子公司张江百济制剂有限公司。", {"subsidiary_established"}),
    ],
)
def test_a_joint_venture_is_an_investment_and_no_subsidiary(sentence: str, kinds: set[str]) -> None:
    assert {row["kind"] for row in read(sentence)} - {"strategic_cooperation"} == kinds


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("浦江重工拿下智算科技11%股权。", "merger_acquisition"),
        ("浦江重工抛售所持智算科技20%股权。", "equity_transfer"),
        ("浦江重工完成智算科技股权交割。", "equity_transfer"),
        ("浦江重工对智算科技进行增资。", "outbound_investment"),
        ("浦江重工认购智算科技新增注册资本。", "outbound_investment"),
        ("浦江重工投资智算科技项目2亿元。", "outbound_investment"),
    ],
)
def test_shares_change_hands_in_many_words(sentence: str, kind: str) -> None:
    assert kind in {row["kind"] for row in read(sentence)}


@pytest.mark.parametrize(
    "sentence",
    [
        "临江投资持有浦江重工1.23亿股股份。",
        "临江投资拟质押浦江重工5100万股。",
        "根据投资协议，投资期满三年后由浦江重工回购股权。",
        "浦江重工拟出资不少于7.5亿元回购公司股票。",
    ],
)
def test_a_name_that_ends_in_investment_is_no_investment(sentence: str) -> None:
    assert "outbound_investment" not in {row["kind"] for row in read(sentence)}


def test_an_old_event_is_history() -> None:
    detected = read_texts(announcement("2020年3月1日，浦江重工中标道路工程。"))
    assert detected.findings.num_rows == 0
    assert detected.counts["guard:lapsed"] == 1


def test_relative_dates_count_from_publication() -> None:
    row = read("浦江重工昨日中标道路工程。")[0]
    assert row["occurred_on"] == AS_OF - dt.timedelta(days=1)
    assert row["published_on"] == AS_OF


def test_what_is_not_read_is_counted() -> None:
    counts = read_texts(
        announcement("浦江重工中标道路工程。", record_key="1", published_on=None),
        announcement("浦江重工中标道路工程。", record_key="2", published_on=AS_OF + dt.timedelta(days=1)),
        announcement("  ", record_key="3"),
        announcement("如果浦江重工中标道路工程。", record_key="4"),
    ).counts
    assert counts["read"] == 4
    assert (counts["undated"], counts["future"], counts["empty"], counts["guard:hypothesis"]) == (1, 1, 1, 1)
    assert counts["found"] == 0


def test_the_order_of_documents_does_not_matter() -> None:
    given_rows = [announcement(text, record_key=str(number)) for number, (text, *_) in enumerate(POSITIVES)]
    assert read_texts(*given_rows).findings.equals(read_texts(*reversed(given_rows)).findings)


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="浦江重工华芯微电中标收购质押担保为与公司（）,。2亿元年月\n ", max_size=120))
def test_any_text_gives_exact_spans(text: str) -> None:
    for row in read(text):
        assert text[row["span_start"] : row["span_end"]] == row["evidence"]
